<?php
/**
 * Where WordPress makes files.
 *
 * @package Photoward
 */

declare(strict_types=1);

namespace Photoward\WordPress;

/**
 * Uploads and sideloads are protected before WordPress moves the file; what an image editor makes,
 * before it gets its public name; what came any other way, when the attachment's metadata is
 * written. All of it before off-load plug-ins, which run at priority 10 and later.
 */
final class Hooks {
	private const LAST = 9999;

	/** Names of files that `wp_upload_bits` writes: private path → public path. @var array<string, string> */
	private static array $incoming = array();
	private static bool $expecting = false;
	private static bool $reading   = false;
	private static bool $refused   = false;

	/** Add all hooks. */
	public static function register(): void {
		add_filter( 'wp_handle_upload_prefilter', array( self::class, 'before_move' ), self::LAST );
		add_filter( 'wp_handle_sideload_prefilter', array( self::class, 'before_move' ), self::LAST );
		add_filter( 'wp_handle_upload', array( self::class, 'after_move' ), 1 );
		add_filter( 'wp_upload_bits', array( self::class, 'before_bits' ), self::LAST );
		add_filter( 'wp_unique_filename', array( self::class, 'private_filename' ), self::LAST, 3 );
		add_filter( 'wp_image_editors', array( self::class, 'editors' ), PHP_INT_MAX );
		add_filter( 'wp_generate_attachment_metadata', array( self::class, 'after_metadata' ), 9, 3 );
		add_filter( 'wp_update_attachment_metadata', array( self::class, 'after_metadata' ), 9, 2 );
		add_filter( 'wp_read_image_metadata', array( self::class, 'read_original' ), 1, 2 );
		add_action( 'delete_attachment', array( self::class, 'before_delete' ), self::LAST );
		add_action( 'photoward_finish', array( self::class, 'finish' ), 10, 2 );
	}

	/**
	 * Protect an uploaded or sideloaded file where PHP put it.
	 *
	 * @param array<string, mixed> $file As in $_FILES.
	 * @return array<string, mixed> With `error` if it must not be published.
	 */
	public static function before_move( array $file ): array {
		$private = (string) ( $file['tmp_name'] ?? '' );
		$type    = is_file( $private ) ? Library::type( $private ) : '';
		if ( ! empty( $file['error'] ) || ! Gate::concerns( $type ) || self::is_own( $private ) ) {
			return $file;
		}
		try {
			$verdict = Gate::decide( $private, $type );
			Ledger::save( self::waiting( hash( 'sha256', $verdict->bytes ) ), $verdict->row() );
			if ( file_put_contents( $private, $verdict->bytes ) !== strlen( $verdict->bytes ) ) {
				throw new Refused( __( 'Photoward: the protected photo could not be written; is the disk full?', 'photoward' ) );
			}
			$file['size'] = strlen( $verdict->bytes );
		} catch ( \RuntimeException $error ) {
			$file['error'] = $error->getMessage();
		}
		clearstatcache( true, $private );
		return $file;
	}

	/**
	 * Now the public name is known.
	 *
	 * @param array<string, mixed> $upload `file`, `url`, `type`.
	 * @return array<string, mixed>
	 */
	public static function after_move( array $upload ): array {
		$path = (string) ( $upload['file'] ?? '' );
		if ( isset( self::$incoming[ $path ] ) ) {
			return self::publish_bits( $upload, $path );
		}
		if ( ! is_file( $path ) || ! Gate::concerns( Library::type( $path ) ) ) {
			return $upload;
		}
		$hash = (string) hash_file( 'sha256', $path );
		$row  = Ledger::find( self::waiting( $hash ) ) ?? Ledger::find_protected( $hash );
		if ( $row ) {
			$kept = array( 'attachment' => 0 ) + $row;
			Ledger::save( Library::name( $path ), array_diff_key( $kept, array_flip( array( 'id', 'name', 'path' ) ) ) );
			Ledger::remove( self::waiting( $hash ) );
		}
		return $upload;
	}

	/**
	 * `wp_upload_bits` (XML-RPC, importers) writes what it was given, whatever a filter says: so it
	 * is sent to a private place, and the file is published when it is there.
	 *
	 * @param mixed $bits `name`, `bits`, `time`; a string: refused already.
	 */
	public static function before_bits( mixed $bits ): mixed {
		$type            = is_array( $bits ) ? (string) wp_check_filetype( (string) $bits['name'] )['type'] : '';
		try {
			self::$expecting = Gate::concerns( $type ) && Vault::folder() !== '';
		} catch ( \RuntimeException $error ) {
			return 'Photoward: ' . $error->getMessage();
		}
		return $bits;
	}

	/**
	 * The path from the uploads folder into the private one, for `wp_upload_bits` alone.
	 *
	 * @param string $filename That is free in $folder.
	 */
	public static function private_filename( string $filename, string $extension, string $folder ): string {
		if ( ! self::$expecting ) {
			return $filename;
		}
		self::$expecting = false;
		wp_mkdir_p( $folder );
		$private = Vault::temporary( ltrim( $extension, '.' ) );
		$way     = str_repeat( '/..', substr_count( rtrim( (string) realpath( $folder ), '/' ), '/' ) );
		$name    = ltrim( $way, '/' ) . realpath( dirname( $private ) ) . '/' . basename( $private );

		self::$incoming[ "$folder/$name" ] = "$folder/$filename";
		return $name;
	}

	/**
	 * Our editors before all others: what they write is protected before it has its public name.
	 *
	 * @param string[] $classes In order of preference.
	 * @return string[]
	 */
	public static function editors( array $classes ): array {
		if ( ! Settings::is_active() ) {
			return $classes;
		}
		require_once __DIR__ . '/editors.php';
		$ours = array(
			'WP_Image_Editor_Imagick' => Imagick_Editor::class,
			'WP_Image_Editor_GD'      => GD_Editor::class,
		);
		return array_values( array_intersect_key( $ours, array_flip( $classes ) ) ?: $ours );
	}

	/** An image editor was refused a size. */
	public static function size_refused(): void {
		self::$refused = true;
	}

	/**
	 * Protect whatever of an attachment the ledger does not know, and mend the file sizes.
	 *
	 * @param mixed  $metadata Of the attachment.
	 * @param string $context  "create": the attachment is new.
	 */
	public static function after_metadata( mixed $metadata, int $attachment, string $context = 'update' ): mixed {
		if ( ! is_array( $metadata ) || ! Settings::is_active() ) {
			return $metadata;
		}
		foreach ( Library::files( $attachment, $metadata ) as $path ) {
			self::settle( $path, $attachment, 'create' === $context );
		}
		if ( self::$refused ) {
			self::$refused = false;
			self::finish_later( $attachment, 1 );
		}
		return Library::with_file_sizes( $attachment, $metadata );
	}

	/**
	 * Titles, captions and rights are read from the original: the public file may have less.
	 *
	 * @param mixed $metadata As read from $path.
	 */
	public static function read_original( mixed $metadata, string $path ): mixed {
		$original = self::$reading || ! is_array( $metadata ) ? null : Library::original( $path );
		if ( null === $original ) {
			return $metadata;
		}
		self::$reading = true;
		try {
			$read = wp_read_image_metadata( $original );
		} finally {
			self::$reading = false;
		}
		return is_array( $read ) ? array( 'orientation' => $metadata['orientation'] ?? 0 ) + $read : $metadata;
	}

	/** With an attachment its originals go, and what the service still has. */
	public static function before_delete( int $attachment ): void {
		$names = array_map( array( Library::class, 'name' ), Library::files( $attachment ) );
		foreach ( Ledger::of_attachment( $attachment ) as $row ) {
			$names[] = $row['path'];
			if ( '' !== $row['item'] ) {
				Backfill::forget( $row['item'] );
			}
		}
		array_map( array( Ledger::class, 'remove' ), array_unique( $names ) );
	}

	/** Make the sizes that were refused. */
	public static function finish( int $attachment, int $attempt ): void {
		if ( ! get_post( $attachment ) ) {
			return;
		}
		require_once ABSPATH . 'wp-admin/includes/image.php';
		self::$refused = false;
		wp_update_image_subsizes( $attachment );
		if ( wp_get_missing_image_subsizes( $attachment ) && $attempt < 20 ) {
			self::finish_later( $attachment, $attempt + 1 );
		}
	}

	private static function finish_later( int $attachment, int $attempt ): void {
		wp_schedule_single_event( time() + min( 3600, 30 * 2 ** $attempt ), 'photoward_finish', array( $attachment, $attempt ) );
	}

	/** A file of an attachment: known, or protected now. */
	private static function settle( string $path, int $attachment, bool $is_new ): void {
		$name  = Library::name( $path );
		$row   = Ledger::find( $name );
		$state = Library::state( $path, $row );
		if ( ! $row && self::is_own( $path ) ) {
			self::after_move( array( 'file' => $path ) );
			$row   = Ledger::find( $name );
			$state = Library::state( $path, $row );
		}
		if ( ! in_array( $state, array( Library::TODO, Library::CHANGED ), true ) ) {
			if ( $row && (int) $row['attachment'] !== $attachment ) {
				Ledger::save( $name, array( 'attachment' => $attachment ) );
			}
			return;
		}
		$type = Library::type( $path );
		try {
			Library::publish( $path, $path, $type );
			Ledger::save( $name, array( 'attachment' => $attachment ) );
		} catch ( \RuntimeException $error ) {
			try {
				self::without( $path, $type, $attachment, $is_new && 'open' !== Settings::get( 'failure' ), $error->getMessage() );
			} catch ( \RuntimeException $worse ) {
				error_log( $path . ': ' . $worse->getMessage() ); // phpcs:ignore -- there is nobody to tell.
			}
		}
	}

	/** A file is public and cannot be protected: a new one is held, an old one is told of. */
	private static function without( string $path, string $type, int $attachment, bool $is_held, string $words ): void {
		$original = Vault::put( $path );
		$row      = array(
			'attachment' => $attachment,
			'original'   => $original,
			'protected'  => $original,
			'state'      => Ledger::FAILED,
			'error'      => $words,
		);
		if ( ! $is_held ) {
			Ledger::save( Library::name( $path ), $row );
			return;
		}
		$bytes            = Gate::placeholder( $path, $type );
		$row['protected'] = hash( 'sha256', $bytes );
		$row['state']     = Ledger::HELD;
		Library::write( $path, $bytes, $row );
	}

	/**
	 * @param array<string, mixed> $upload Of `wp_upload_bits`.
	 * @return array<string, mixed>
	 */
	private static function publish_bits( array $upload, string $private ): array {
		$folder = dirname( self::$incoming[ $private ] );
		$name   = wp_unique_filename( $folder, basename( self::$incoming[ $private ] ) );
		unset( self::$incoming[ $private ] );
		try {
			$type = Library::type( $private );
			if ( '' === $type ) {
				throw new Refused( __( 'Photoward: the file is no picture, as its name says.', 'photoward' ) );
			}
			Library::publish( $private, "$folder/$name", $type );
		} catch ( \RuntimeException $error ) {
			return array( 'error' => $error->getMessage() );
		} finally {
			unlink( $private );
		}
		$below = str_replace( wp_normalize_path( wp_get_upload_dir()['basedir'] ), '', wp_normalize_path( $folder ) );
		return array(
			'file' => "$folder/$name",
			'url'  => wp_get_upload_dir()['baseurl'] . "$below/$name",
		) + $upload;
	}

	/** Whether the bytes are those that were once put somewhere as protected. */
	private static function is_own( string $path ): bool {
		$row = Ledger::find_protected( (string) hash_file( 'sha256', $path ) );
		return $row && Ledger::PROTECTED === $row['state'];
	}

	/** The ledger's name of a file that has no public name yet. */
	private static function waiting( string $hash ): string {
		return "?$hash";
	}
}
