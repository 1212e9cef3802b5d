<?php
/**
 * Private originals.
 *
 * @package Photoward
 */

declare(strict_types=1);

namespace Photoward\WordPress;

/**
 * A folder outside public reach, a part of it for each site. Files are named after their SHA-256,
 * so nothing in it is ever overwritten by anything else.
 */
final class Vault {
	private const OPTION = 'photoward_vault';

	/** The folder of this site; it is made if need be. @throws \RuntimeException It cannot be. */
	public static function folder(): string {
		$folder = self::site();
		if ( ! is_dir( "$folder/incoming" ) && ! wp_mkdir_p( "$folder/incoming" ) ) {
			throw new \RuntimeException( "The private folder $folder cannot be written." );
		}
		return $folder;
	}

	/**
	 * Keep a copy of a file.
	 *
	 * @return string Its SHA-256.
	 * @throws \RuntimeException It could not be written whole.
	 */
	public static function put( string $file ): string {
		$hash = (string) hash_file( 'sha256', $file );
		$kept = self::path( $hash );
		if ( is_file( $kept ) && hash_file( 'sha256', $kept ) === $hash && touch( $kept ) ) {
			return $hash;
		}
		wp_mkdir_p( dirname( $kept ) );
		$temporary = self::temporary();
		if ( ! copy( $file, $temporary ) || hash_file( 'sha256', $temporary ) !== $hash || ! rename( $temporary, $kept ) ) {
			@unlink( $temporary ); // phpcs:ignore -- it may not exist.
			throw new \RuntimeException( 'The private original could not be written; is the disk full?' );
		}
		return $hash;
	}

	/** Where the original with this SHA-256 is, or would be. */
	public static function path( string $hash ): string {
		return self::site() . '/' . substr( $hash, 0, 2 ) . "/$hash";
	}

	/** Remove an original; it is no error if it is gone. */
	public static function remove( string $hash ): void {
		if ( is_file( self::path( $hash ) ) ) {
			unlink( self::path( $hash ) );
		}
	}

	/** Remove what no row names and nobody has touched for a day: of refused and broken uploads. */
	public static function sweep(): void {
		foreach ( (array) glob( self::folder() . '/*/*' ) as $file ) {
			$unused = 'incoming' === basename( dirname( $file ) ) || ! Ledger::find_original( basename( $file ) );
			if ( $unused && filemtime( $file ) < time() - DAY_IN_SECONDS ) {
				unlink( $file );
			}
		}
	}

	/** A new name for a file that is not public. */
	public static function temporary( string $extension = 'tmp' ): string {
		return self::folder() . '/incoming/' . bin2hex( random_bytes( 12 ) ) . ".$extension";
	}

	/** Whether a visitor can fetch what is in the folder: a probe is written and asked for. */
	public static function is_reachable(): bool {
		$root  = self::root();
		$name  = 'probe-' . bin2hex( random_bytes( 12 ) ) . '.txt';
		$known = array(
			(string) realpath( ABSPATH )        => site_url(),
			(string) realpath( WP_CONTENT_DIR ) => content_url(),
			self::document_root()               => untrailingslashit( set_url_scheme( 'http://' . wp_parse_url( home_url(), PHP_URL_HOST ) . self::port() ) ),
		);
		self::folder();
		file_put_contents( "$root/$name", $name );
		try {
			foreach ( $known as $folder => $url ) {
				if ( '' === $folder || ! str_starts_with( (string) realpath( $root ) . '/', "$folder/" ) ) {
					continue;
				}
				$below  = substr( (string) realpath( $root ), strlen( $folder ) );
				$answer = wp_remote_get( "$url$below/$name", array( 'timeout' => 5 ) );
				if ( wp_remote_retrieve_body( $answer ) === $name ) {
					return true;
				}
			}
		} finally {
			unlink( "$root/$name" );
		}
		return false;
	}

	/** The folder of all sites of this installation. */
	public static function root(): string {
		if ( defined( 'PHOTOWARD_VAULT' ) ) {
			return untrailingslashit( (string) \PHOTOWARD_VAULT );
		}
		$known = get_site_option( self::OPTION );
		if ( is_string( $known ) && '' !== $known ) {
			return $known;
		}
		$chosen = self::choose();
		add_site_option( self::OPTION, $chosen );
		return (string) get_site_option( self::OPTION, $chosen ); // Of two that choose at once, one has chosen.
	}

	/** Beside the web server's folder if that can be written, else a folder that it must not serve. */
	private static function choose(): string {
		$name   = 'photoward-private-' . bin2hex( random_bytes( 8 ) );
		$public = array_filter( array( realpath( ABSPATH ), realpath( WP_CONTENT_DIR ), self::document_root() ) );
		$inside = static fn ( string $folder ) => array_filter( $public, static fn ( $one ) => str_starts_with( "$folder/", "$one/" ) );
		for ( $parent = (string) realpath( ABSPATH ); $inside( $parent ) && '/' !== $parent; ) {
			$parent = dirname( $parent );
		}
		if ( '/' !== $parent && wp_is_writable( $parent ) ) {
			return "$parent/$name";
		}
		$folder = WP_CONTENT_DIR . "/$name";
		wp_mkdir_p( $folder );
		file_put_contents( "$folder/.htaccess", "Require all denied\n" );
		file_put_contents( "$folder/index.php", "<?php\n" );
		return $folder;
	}

	private static function site(): string {
		return self::root() . '/site-' . get_current_blog_id();
	}

	private static function document_root(): string {
		return (string) realpath( sanitize_text_field( wp_unslash( $_SERVER['DOCUMENT_ROOT'] ?? '' ) ) );
	}

	private static function port(): string {
		$port = wp_parse_url( home_url(), PHP_URL_PORT );
		return $port ? ":$port" : '';
	}
}
