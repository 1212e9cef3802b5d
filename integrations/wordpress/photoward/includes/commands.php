<?php
/**
 * The command line.
 *
 * @package Photoward
 */

declare(strict_types=1);

namespace Photoward\WordPress;

use Photoward\Problem;

/** `wp photoward …`, and the same through `php cli.php …` where WP-CLI is not installed. */
final class Commands {
	private const HELP = array(
		'status'   => 'what is protected, held and failed, by the files\' own hashes',
		'test'     => 'protect a small picture, and see whether the private folder is private',
		'backfill' => 'protect what is there already; --dry-run only counts',
		'pause'    => 'stop after the present window; `resume` goes on',
		'resume'   => 'go on with the back-fill',
		'retry'    => 'try again what failed, and nothing else',
		'restore'  => 'make every original public again; with ids: of these attachments',
	);

	/** Tell WP-CLI. */
	public static function register(): void {
		foreach ( self::HELP as $name => $help ) {
			$run = static function ( array $words, array $flags ) use ( $name ): void {
				$code = self::run( $name, $words, $flags, array( \WP_CLI::class, 'line' ) );
				if ( $code ) {
					\WP_CLI::halt( $code );
				}
			};
			\WP_CLI::add_command( "photoward $name", $run, array( 'shortdesc' => $help ) );
		}
	}

	/**
	 * Run a command.
	 *
	 * @param string[]             $words After its name.
	 * @param array<string, mixed> $flags `--name` → true.
	 * @param callable             $say   Takes a line.
	 * @return int 0: all is well.
	 */
	public static function run( string $name, array $words, array $flags, callable $say ): int {
		if ( ! Settings::is_active() && isset( self::HELP[ $name ] ) ) {
			$say( 'No service is set: see Settings, Photoward.' );
			return 1;
		}
		switch ( $name ) {
			case 'status':
				return self::status( $say );
			case 'test':
				$results = self::test();
				array_map( static fn ( $line ) => $say( ( $line[0] ? 'ok    ' : 'FAILS ' ) . $line[1] ), $results );
				return in_array( false, array_column( $results, 0 ), true ) ? 1 : 0;
			case 'backfill':
				return isset( $flags['dry-run'] ) ? self::status( $say ) : self::work( $say, array( Backfill::class, 'start' ) );
			case 'resume':
				return self::work( $say, static fn () => Backfill::set_paused( false ) );
			case 'pause':
				Backfill::set_paused( true );
				return 0;
			case 'retry':
				return self::work( $say, static fn () => $say( Backfill::retry() . ' files are tried again' ) );
			case 'restore':
				$done = Backfill::restore( $words ? array_map( 'intval', $words ) : null );
				$say( "{$done['restored']} files restored" );
				array_map( static fn ( $path ) => $say( "changed by another program, left alone: $path" ), $done['changed'] );
				array_map( static fn ( $path ) => $say( "original missing: $path" ), $done['failed'] );
				return $done['failed'] ? 1 : 0;
		}
		array_map( static fn ( $known, $help ) => $say( sprintf( '%-9s %s', $known, $help ) ), array_keys( self::HELP ), self::HELP );
		return 2;
	}

	/**
	 * What an owner wants to know before trusting it.
	 *
	 * @return list<array{bool, string}> Whether it is well, and words.
	 */
	public static function test(): array {
		$results = array();
		$image   = imagecreatetruecolor( 64, 48 );
		imagefilledellipse( $image, 32, 24, 40, 30, imagecolorallocate( $image, 200, 90, 40 ) );
		ob_start();
		imagejpeg( $image );
		$photo = (string) ob_get_clean();
		$begin = microtime( true );
		try {
			Settings::client( (float) Settings::get( 'deadline' ) )->protect( $photo, Settings::options() );
			/* translators: %s: seconds */
			$results[] = array( true, sprintf( __( 'The service protected a small picture in %s s.', 'photoward' ), number_format_i18n( microtime( true ) - $begin, 1 ) ) );
		} catch ( Problem $problem ) {
			$results[] = array( false, Gate::words( $problem ) );
		}
		/* translators: %s: folder */
		$private   = __( 'Originals are private, in %s.', 'photoward' );
		/* translators: %s: folder */
		$reachable = __( 'Visitors can fetch what is in %s: forbid it in the web server, or set PHOTOWARD_VAULT in wp-config.php to a folder outside.', 'photoward' );
		try {
			$is_public = Vault::is_reachable();
			$results[] = array( ! $is_public, sprintf( $is_public ? $reachable : $private, Vault::root() ) );
		} catch ( \RuntimeException $error ) {
			$results[] = array( false, $error->getMessage() );
		}
		return $results;
	}

	private static function status( callable $say ): int {
		foreach ( Backfill::count() as $state => $count ) {
			$say( sprintf( '%-12s %6d files %12d bytes', $state, $count['files'], $count['bytes'] ) );
		}
		$progress = Backfill::progress();
		$say( trim( "back-fill: {$progress['state']} {$progress['error']}" ) );
		foreach ( Ledger::in_state( Ledger::FAILED, 20 ) as $row ) {
			$say( "failed: {$row['path']}: {$row['error']}" );
		}
		return 0;
	}

	private static function work( callable $say, callable $begin ): int {
		$begin();
		do {
			$more  = Backfill::step( 60.0, true );
			$error = Backfill::progress()['error'];
			$say( wp_json_encode( Ledger::counts() ) . ( $error ? " $error" : '' ) );
		} while ( $more );
		return '' === $error ? 0 : 1;
	}
}
