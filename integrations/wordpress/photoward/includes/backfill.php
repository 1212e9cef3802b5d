<?php
/**
 * Protecting what is there already, and undoing everything.
 *
 * @package Photoward
 */

declare(strict_types=1);

namespace Photoward\WordPress;

use Photoward\Client;
use Photoward\Problem;

/**
 * Files are sent as batches of the service, a window at a time. What is to be done follows from the
 * hashes of the files, so it may be killed at any point and goes on where it was. One process a
 * site does it, under a lock that dies with it.
 */
final class Backfill {
	private const OPTION = 'photoward_backfill';
	private const WINDOW = 24;
	private const WAIT   = 300.0;

	/** Add the periodic task. */
	public static function register(): void {
		add_filter(
			'cron_schedules', // phpcs:ignore -- a minute, because a held photo is not public.
			static fn ( array $all ) => $all + array(
				'photoward' => array(
					'interval' => 60,
					'display'  => __( 'Every minute', 'photoward' ),
				),
			)
		);
		add_action( 'photoward_step', array( self::class, 'scheduled' ) );
		add_action(
			'init',
			static function (): void {
				if ( Settings::is_active() && ! wp_next_scheduled( 'photoward_step' ) ) {
					wp_schedule_event( time(), 'photoward', 'photoward_step' );
				}
			}
		);
	}

	/** The plug-in is switched off. */
	public static function unschedule(): void {
		wp_clear_scheduled_hook( 'photoward_step' );
	}

	/** The periodic task: held photos, and the back-fill if it runs. */
	public static function scheduled(): void {
		if ( Settings::is_active() ) {
			self::step( 50.0 );
		}
		if ( ! get_transient( 'photoward_swept' ) ) {
			set_transient( 'photoward_swept', 1, DAY_IN_SECONDS );
			Ledger::sweep();
			Vault::sweep();
		}
	}

	/** @return array{state: string, after: int, error: string} How far it is. */
	public static function progress(): array {
		return (array) get_option( self::OPTION, array() ) + array(
			'state' => 'idle',
			'after' => 0,
			'error' => '',
		);
	}

	/** Begin at the first attachment. */
	public static function start(): void {
		self::note( array( 'state' => 'running', 'after' => 0, 'error' => '' ) ); // phpcs:ignore
	}

	/** Go on, or stop after the present window. */
	public static function set_paused( bool $paused ): void {
		self::note( array( 'state' => $paused ? 'paused' : 'running' ) );
	}

	/** Try again what the service refused, and nothing else. */
	public static function retry(): int {
		$rows = Ledger::in_state( Ledger::FAILED, 100000 );
		foreach ( $rows as $row ) {
			$is_held = $row['protected'] !== $row['original'];
			Ledger::save( $row['path'], array( 'state' => $is_held ? Ledger::HELD : Ledger::OPEN ) );
		}
		return count( $rows );
	}

	/**
	 * What there is, by the files' own hashes; nothing is changed.
	 *
	 * @return array<string, array{files: int, bytes: int}> State → how much.
	 */
	public static function count(): array {
		$counts = array();
		for ( $after = 0; $ids = self::attachments( $after ); $after = end( $ids ) ) { // phpcs:ignore
			foreach ( $ids as $id ) {
				foreach ( Library::files( $id ) as $path ) {
					$state            = Library::state( $path, Ledger::find( Library::name( $path ) ) );
					$counts[ $state ] = array(
						'files' => ( $counts[ $state ]['files'] ?? 0 ) + 1,
						'bytes' => ( $counts[ $state ]['bytes'] ?? 0 ) + wp_filesize( $path ),
					);
				}
			}
		}
		return $counts;
	}

	/**
	 * Work for some seconds.
	 *
	 * @param bool $patient Wait for another process that is at it.
	 * @return bool Whether something is left to do now.
	 */
	public static function step( float $seconds, bool $patient = false ): bool {
		$lock = self::lock( $patient );
		if ( ! $lock ) {
			return false;
		}
		$end    = microtime( true ) + $seconds;
		$client = Settings::client( min( 60.0, $seconds ) );
		try {
			array_map( array( self::class, 'release' ), Ledger::with_item_left() );
			self::settle( $client, Ledger::in_state( Ledger::SENT, 100000 ), $end );
			foreach ( array( Ledger::HELD, Ledger::OPEN ) as $state ) {
				self::work_off( $client, array_column( Ledger::in_state( $state, self::WINDOW ), 'attachment', 'path' ), $end );
			}
			while ( 'running' === self::progress()['state'] && microtime( true ) < $end ) {
				self::next_window( $client, $end );
			}
			$error = '';
		} catch ( \RuntimeException $fault ) {
			$error = $fault instanceof Problem ? Gate::words( $fault ) : $fault->getMessage();
		} finally {
			fclose( $lock );
		}
		if ( self::progress()['error'] !== $error ) {
			self::note( array( 'error' => $error ) );
		}
		$left = Ledger::in_state( Ledger::SENT, 1 ) || Ledger::in_state( Ledger::HELD, 1 ) || Ledger::in_state( Ledger::OPEN, 1 );
		return '' === $error && ( $left || 'running' === self::progress()['state'] );
	}

	/**
	 * Make every original public again, byte for byte. The originals stay in the private folder.
	 *
	 * @param int[]|null $attachments Only these; null: all.
	 * @return array{restored: int, changed: string[], failed: string[]} Paths that another program
	 *     has changed are left alone.
	 */
	public static function restore( ?array $attachments = null ): array {
		self::set_paused( true );
		$lock = self::lock( true );
		$done = array( 'restored' => 0, 'changed' => array(), 'failed' => array() ); // phpcs:ignore
		$ids  = array();
		for ( $after = 0; $rows = Ledger::page( $after, 200 ); $after = (int) end( $rows )['id'] ) { // phpcs:ignore
			foreach ( $rows as $row ) {
				if ( str_starts_with( $row['path'], '?' ) || ( null !== $attachments && ! in_array( (int) $row['attachment'], $attachments, true ) ) ) {
					continue;
				}
				$result = self::restore_one( $row );
				if ( 'restored' === $result ) {
					++$done['restored'];
					$ids[] = (int) $row['attachment'];
				} elseif ( $result ) {
					$done[ $result ][] = $row['path'];
				}
			}
		}
		self::mend( $ids );
		fclose( $lock );
		return $done;
	}

	/** Delete an item of the service, if that is possible now. */
	public static function forget( string $item ): bool {
		try {
			Settings::client( 5.0 )->delete( $item );
			return true;
		} catch ( Problem $problem ) {
			error_log( Gate::words( $problem ) ); // phpcs:ignore -- it expires there.
			return false;
		}
	}

	/** Delete the item of a row that needs it no more; if that fails, the next step does it. */
	private static function release( array $row ): void {
		if ( '' !== $row['item'] && self::forget( $row['item'] ) ) {
			Ledger::save( $row['path'], array( 'item' => '' ) );
		}
	}

	/** @return string restored, changed, failed; an empty string: nothing to do. */
	private static function restore_one( array $row ): string {
		$path = Library::path( $row['path'] );
		if ( ! is_file( $path ) ) {
			return '';
		}
		$hash = hash_file( 'sha256', $path );
		if ( $hash === $row['original'] ) {
			Ledger::save( $row['path'], array( 'state' => Ledger::RESTORED ) );
			return '';
		}
		if ( $hash !== $row['protected'] ) {
			return 'changed';
		}
		$kept = Vault::path( $row['original'] );
		if ( ! is_file( $kept ) || hash_file( 'sha256', $kept ) !== $row['original'] ) {
			return 'failed';
		}
		Library::write( $path, (string) file_get_contents( $kept ), array( 'state' => Ledger::RESTORED ) );
		return 'restored';
	}

	private static function next_window( Client $client, float $end ): void {
		$after = (int) self::progress()['after'];
		$files = array();
		do {
			$ids = self::attachments( $after, 1 );
			foreach ( $ids as $id ) {
				$files += array_fill_keys( array_filter( Library::files( $id ), array( self::class, 'is_to_do' ) ), $id );
				$after  = $id;
			}
		} while ( $ids && count( $files ) < self::WINDOW && microtime( true ) < $end );
		$names = array_map( array( Library::class, 'name' ), array_keys( $files ) );
		self::work_off( $client, array_combine( $names, array_values( $files ) ), $end );
		if ( 'running' === self::progress()['state'] ) {
			self::note( array( 'after' => $after ) + ( $ids ? array() : array( 'state' => 'done' ) ) );
		}
	}

	private static function is_to_do( string $path ): bool {
		$state = Library::state( $path, Ledger::find( Library::name( $path ) ) );
		return in_array( $state, array( Library::TODO, Library::CHANGED, Ledger::RESTORED ), true );
	}

	/** @param array<string, int|string> $names Of files → attachment. */
	private static function work_off( Client $client, array $names, float $end ): void {
		if ( ! $names ) {
			return;
		}
		$batch = (string) $client->json( 'POST', '/v1/batches' )['id'];
		$rows  = array();
		foreach ( $names as $name => $attachment ) {
			$rows[] = self::prepare( (string) $name, (int) $attachment );
		}
		$rows = array_filter( $rows );
		foreach ( $rows as $row ) {
			self::send( $client, $row, $batch );
		}
		self::settle( $client, Ledger::in_state( Ledger::SENT, 100000 ), $end );
	}

	/** Keep the original and write down that it will be sent. */
	private static function prepare( string $name, int $attachment ): ?array {
		$path = Library::path( $name );
		$row  = Ledger::find( $name );
		if ( ! is_file( $path ) ) {
			Ledger::save( $name, array( 'state' => Ledger::FAILED, 'error' => __( 'The file is gone.', 'photoward' ) ) ); // phpcs:ignore
			return null;
		}
		$hash    = (string) hash_file( 'sha256', $path );
		$is_held = $row && $hash === $row['protected'] && $hash !== $row['original'];
		Ledger::save(
			$name,
			array(
				'original'   => $is_held ? $row['original'] : Vault::put( $path ),
				'protected'  => $hash,
				'attachment' => $attachment,
				'state'      => Ledger::SENT,
				'item'       => '',
				'error'      => '',
			)
		);
		return Ledger::find( $name );
	}

	/** Send a photo; repeated after a kill, it makes one item only. */
	private static function send( Client $client, array $row, ?string $batch ): void {
		$kept = Vault::path( $row['original'] );
		$key  = hash( 'sha256', implode( '|', array( home_url(), $row['path'], $row['original'], $row['updated'] ) ) );
		try {
			$image = $client->submit( (string) file_get_contents( $kept ), Settings::options() + array( 'batch' => $batch ), $key );
			Ledger::save( $row['path'], array( 'item' => (string) $image['id'], 'updated' => $row['updated'] ) ); // phpcs:ignore
		} catch ( Problem $problem ) {
			if ( $problem->isTransient() ) {
				throw $problem;
			}
			self::refused( $row, $problem );
		}
	}

	/**
	 * Fetch what is finished, and wait for the rest until the time is over.
	 *
	 * @param list<array<string, string>> $rows In the state SENT.
	 */
	private static function settle( Client $client, array $rows, float $end ): void {
		$ids   = array();
		$until = max( $end, microtime( true ) + 1 );
		foreach ( $rows as $row ) {
			if ( '' === $row['item'] ) {
				self::send( $client, $row, null );
				$row = Ledger::find( $row['path'] ) ?? $row;
			}
			if ( Ledger::SENT !== $row['state'] ) {
				continue;
			}
			try {
				$client->wait( $row['item'], max( 0.0, min( self::WAIT, $until - microtime( true ) ) ) );
				self::take( $row, $client );
				$ids[] = (int) $row['attachment'];
			} catch ( Problem $problem ) {
				if ( 'not_in_time' === $problem->problem ) {
					break;
				}
				if ( in_array( $problem->status, array( 404, 410 ), true ) ) { // It expired there: it is sent anew.
					Ledger::save( $row['path'], array( 'item' => '' ) );
				} elseif ( in_array( $problem->status, array( 0, 429, 503 ), true ) ) {
					self::mend( $ids );
					throw $problem;
				} else {
					self::refused( $row, $problem );
				}
			}
		}
		self::mend( $ids );
	}

	/** Put a finished photo in its place, if the file there is still the one that was sent. */
	private static function take( array $row, Client $client ): void {
		$path = Library::path( $row['path'] );
		$hash = is_file( $path ) ? hash_file( 'sha256', $path ) : '';
		if ( $hash === $row['protected'] || $hash === $row['original'] ) {
			$kept    = Vault::path( $row['original'] );
			$picture = Gate::check( $client->download( $row['item'] ), $kept, Library::type( $kept ) );
			$verdict = new Verdict( $picture->bytes, $row['original'], Ledger::PROTECTED );
			Library::write( $path, $verdict->bytes, array( 'item' => $row['item'] ) + $verdict->row() );
		} else {
			Ledger::save( $row['path'], array( 'state' => '' ) );
		}
		self::release( $row );
	}

	private static function refused( array $row, Problem $problem ): void {
		if ( 'already_protected' === $problem->problem ) {
			Ledger::save( $row['path'], array( 'state' => Ledger::PROTECTED ) );
		} else {
			Ledger::save( $row['path'], array( 'state' => Ledger::FAILED, 'error' => Gate::words( $problem ) ) ); // phpcs:ignore
		}
		self::release( $row );
	}

	/** @param int[] $attachments Whose files have other sizes now. */
	private static function mend( array $attachments ): void {
		$ours = array( Hooks::class, 'after_metadata' );
		remove_filter( 'wp_update_attachment_metadata', $ours, 9 ); // It would protect what restore leaves alone.
		foreach ( array_unique( array_filter( $attachments ) ) as $id ) {
			$metadata = wp_get_attachment_metadata( $id, true );
			if ( is_array( $metadata ) ) {
				wp_update_attachment_metadata( $id, Library::with_file_sizes( $id, $metadata ) );
			}
			clean_post_cache( $id );
		}
		add_filter( 'wp_update_attachment_metadata', $ours, 9, 2 );
	}

	/** @return int[] Ids of attachments with pictures, after one. */
	private static function attachments( int $after, int $limit = 200 ): array {
		global $wpdb;
		$query = $wpdb->prepare( "SELECT ID FROM $wpdb->posts WHERE post_type = 'attachment' AND ( post_mime_type LIKE %s OR post_mime_type = 'application/pdf' ) AND ID > %d ORDER BY ID LIMIT %d", 'image/%', $after, $limit ); // phpcs:ignore
		return array_map( 'intval', $wpdb->get_col( $query ) ); // phpcs:ignore
	}

	/** @param array<string, mixed> $news What has changed. */
	private static function note( array $news ): void {
		wp_cache_delete( 'alloptions', 'options' );
		wp_cache_delete( self::OPTION, 'options' );
		update_option( self::OPTION, $news + self::progress(), false );
	}

	/** @return resource|null The lock; null: another process has it. */
	private static function lock( bool $patient = false ) {
		$file = fopen( Vault::folder() . '/lock', 'c' );
		return $file && flock( $file, $patient ? LOCK_EX : LOCK_EX | LOCK_NB ) ? $file : null;
	}
}
