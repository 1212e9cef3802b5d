<?php
/**
 * What was written into the uploads folder, file by file.
 *
 * @package Photoward
 */

declare(strict_types=1);

namespace Photoward\WordPress;

/**
 * A table for each site. A row says which private original (`original`, SHA-256) belongs to the
 * public file at `path` (below the uploads
 * folder), and which bytes (`protected`, SHA-256) were put there. Whether a file is
 * protected follows from its own hash, never from `state` alone.
 */
final class Ledger {
	public const PROTECTED = 'protected';
	/** A placeholder is public, the photo waits. */
	public const HELD = 'held';
	/** The original is public because the owner wanted it so, and waits. */
	public const OPEN = 'open';
	/** The service has it as `item`. */
	public const SENT   = 'sent';
	public const FAILED = 'failed';
	/** The original is public again. */
	public const RESTORED = 'restored';

	private const VERSION = '1';

	/** Forget uploads that were broken off before they had a public name. */
	public static function sweep(): void {
		foreach ( self::all( 'path LIKE %s AND updated < %d', '?%', time() - DAY_IN_SECONDS ) as $row ) {
			self::remove( $row['path'] );
		}
	}

	/** Make the table of this site. */
	public static function create(): void {
		global $wpdb;
		if ( get_option( 'photoward_schema' ) === self::VERSION ) {
			return;
		}
		require_once ABSPATH . 'wp-admin/includes/upgrade.php';
		dbDelta(
			'CREATE TABLE ' . self::table() . " (
  id bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  name char(64) NOT NULL,
  path text NOT NULL,
  attachment bigint(20) unsigned NOT NULL DEFAULT 0,
  original varchar(64) NOT NULL DEFAULT '',
  protected varchar(64) NOT NULL DEFAULT '',
  state varchar(16) NOT NULL DEFAULT '',
  item varchar(64) NOT NULL DEFAULT '',
  error text,
  updated bigint(20) unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY  (id),
  UNIQUE KEY name (name),
  KEY attachment (attachment),
  KEY original (original),
  KEY protected (protected),
  KEY state (state)
) " . $wpdb->get_charset_collate()
		);
		Vault::root();
		update_option( 'photoward_schema', self::VERSION );
	}

	/** @return array<string, string>|null The row of a path. */
	public static function find( string $path ): ?array {
		return self::first( 'name = %s', hash( 'sha256', $path ) );
	}

	/** @return array<string, string>|null A row whose public bytes have this SHA-256. */
	public static function find_protected( string $hash ): ?array {
		return self::first( 'protected = %s ORDER BY id LIMIT 1', $hash );
	}

	/** @return array<string, string>|null A row whose original has this SHA-256. */
	public static function find_original( string $hash ): ?array {
		return self::first( 'original = %s LIMIT 1', $hash );
	}

	/** @return list<array<string, string>> */
	public static function of_attachment( int $attachment ): array {
		return self::all( 'attachment = %d ORDER BY id', $attachment );
	}

	/** @return list<array<string, string>> The next rows in a state, behind an id. */
	public static function in_state( string $state, int $limit, int $after = 0 ): array {
		return self::all( 'state = %s AND id > %d ORDER BY id LIMIT %d', $state, $after, $limit );
	}

	/** @return list<array<string, string>> Rows whose item the service need not keep any more. */
	public static function with_item_left(): array {
		return self::all( "item <> '' AND state <> %s", self::SENT );
	}

	/** @return list<array<string, string>> All rows, a page at a time. */
	public static function page( int $after, int $limit ): array {
		return self::all( 'id > %d ORDER BY id LIMIT %d', $after, $limit );
	}

	/**
	 * Write the row of a path; what is not named stays.
	 *
	 * @param array<string, string|int> $values Of the other columns.
	 * @throws \RuntimeException The database did not take it.
	 */
	public static function save( string $path, array $values ): void {
		global $wpdb;
		$values += array( 'updated' => time() );
		$name    = hash( 'sha256', $path );
		$known   = self::find( $path );
		$done    = $known
			? $wpdb->update( self::table(), $values, array( 'id' => $known['id'] ) )
			: $wpdb->insert( self::table(), $values + array( 'name' => $name, 'path' => $path ) );
		if ( false === $done && ! $known && self::find( $path ) ) {
			$done = $wpdb->update( self::table(), $values, array( 'name' => $name ) );
		}
		if ( false === $done ) {
			throw new \RuntimeException( 'The database did not take what was done: ' . $wpdb->last_error );
		}
	}

	/** Give the row of one path another one. */
	public static function move( string $from, string $to ): void {
		$row = self::find( $from );
		if ( $row ) {
			self::save( $to, array_diff_key( $row, array_flip( array( 'id', 'name', 'path' ) ) ) );
			self::remove( $from );
		}
	}

	/** Forget a path, and its original if no other path has it. */
	public static function remove( string $path ): void {
		global $wpdb;
		$row = self::find( $path );
		if ( ! $row ) {
			return;
		}
		$wpdb->delete( self::table(), array( 'id' => $row['id'] ) );
		if ( '' !== $row['original'] && ! self::find_original( $row['original'] ) ) {
			Vault::remove( $row['original'] );
		}
	}

	/** @return array<string, int> State → rows. */
	public static function counts(): array {
		global $wpdb;
		self::create();
		$rows = $wpdb->get_results( 'SELECT state, COUNT(*) AS n FROM ' . self::table() . ' GROUP BY state', ARRAY_A ); // phpcs:ignore
		return array_map( 'intval', array_column( (array) $rows, 'n', 'state' ) );
	}

	/** The name of the table, of this site. */
	public static function table(): string {
		global $wpdb;
		return $wpdb->prefix . 'photoward_files';
	}

	/** @return array<string, string>|null */
	private static function first( string $where, mixed ...$values ): ?array {
		return self::all( $where, ...$values )[0] ?? null;
	}

	/** @return list<array<string, string>> */
	private static function all( string $where, mixed ...$values ): array {
		global $wpdb;
		self::create();
		return (array) $wpdb->get_results( $wpdb->prepare( 'SELECT * FROM ' . self::table() . " WHERE $where", ...$values ), ARRAY_A ); // phpcs:ignore
	}
}
