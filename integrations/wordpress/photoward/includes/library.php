<?php
/**
 * The files in the uploads folder.
 *
 * @package Photoward
 */

declare(strict_types=1);

namespace Photoward\WordPress;

/** Knows which file is protected, where its original is, and how a file is replaced. */
final class Library {
	public const TODO        = 'todo';
	public const CHANGED     = 'changed';
	public const MISSING     = 'missing';
	public const UNSUPPORTED = 'unsupported';

	/**
	 * Make public, at a path, what may be public of a private file.
	 *
	 * @throws Refused Nothing may; what was at the path stays.
	 */
	public static function publish( string $private, string $path, string $type ): void {
		$verdict = Gate::decide( $private, $type );
		self::write( $path, $verdict->bytes, $verdict->row() );
	}

	/**
	 * Replace a public file in one step, and write down what it will be before it is.
	 *
	 * @param array<string, string> $row For the ledger.
	 * @throws Refused It could not be written.
	 */
	public static function write( string $path, string $bytes, array $row ): void {
		wp_mkdir_p( dirname( $path ) );
		Ledger::save( self::name( $path ), $row );
		if ( wp_is_stream( $path ) ) {
			$done = file_put_contents( $path, $bytes ) === strlen( $bytes );
		} else {
			$temporary = "$path." . bin2hex( random_bytes( 4 ) ) . '.tmp';
			$done      = file_put_contents( $temporary, $bytes ) === strlen( $bytes );
			$permitted = (int) ( stat( dirname( $path ) )['mode'] ?? 0 ) & 0666;
			$done      = $done && chmod( $temporary, $permitted ) && rename( $temporary, $path );
			if ( ! $done ) {
				@unlink( $temporary ); // phpcs:ignore -- it may not exist.
			}
		}
		clearstatcache( true, $path );
		if ( ! $done ) {
			/* translators: %s: path */
			throw new Refused( sprintf( __( 'Photoward: %s could not be written; is the disk full?', 'photoward' ), $path ) );
		}
		/** A public file has new bytes: caches may be purged. */
		do_action( 'photoward_file_written', $path );
	}

	/**
	 * How a public file stands: a state of the ledger, or TODO, CHANGED, MISSING, UNSUPPORTED.
	 *
	 * @param array<string, string>|null $row Of its path.
	 */
	public static function state( string $path, ?array $row ): string {
		if ( ! is_file( $path ) ) {
			return self::MISSING;
		}
		if ( ! in_array( self::type( $path ), Gate::TYPES, true ) ) {
			return self::UNSUPPORTED;
		}
		if ( ! $row ) {
			return self::TODO;
		}
		$hash  = hash_file( 'sha256', $path );
		$state = '' === $row['state'] ? self::TODO : $row['state'];
		if ( $hash === $row['protected'] ) {
			return Ledger::RESTORED === $state && $hash !== $row['original'] ? Ledger::PROTECTED : $state;
		}
		if ( $hash === $row['original'] ) {
			return Ledger::PROTECTED === $state ? self::TODO : $state;
		}
		return self::CHANGED;
	}

	/** The private original of a public file, if the file is not the photo itself; else null. */
	public static function original( string $path ): ?string {
		$row = is_file( $path ) && in_array( self::type( $path ), Gate::TYPES, true ) ? Ledger::find( self::name( $path ) ) : null;
		if ( ! $row || '' === $row['original'] || hash_file( 'sha256', $path ) !== $row['protected'] ) {
			return null;
		}
		$kept = Vault::path( $row['original'] );
		return $row['original'] !== $row['protected'] && is_file( $kept ) ? $kept : null;
	}

	/**
	 * All files of an attachment that are there.
	 *
	 * @param array<string, mixed>|null $metadata Of the attachment; null: as stored.
	 * @return list<string> Paths.
	 */
	public static function files( int $attachment, ?array $metadata = null ): array {
		$main = (string) get_attached_file( $attachment, true );
		if ( '' === $main ) {
			return array();
		}
		$metadata ??= (array) wp_get_attachment_metadata( $attachment, true );
		$backups    = (array) get_post_meta( $attachment, '_wp_attachment_backup_sizes', true );
		$sizes      = array_filter( array_merge( array_values( (array) ( $metadata['sizes'] ?? array() ) ), array_values( $backups ) ), 'is_array' );
		$names      = array( wp_basename( $main ), wp_basename( (string) ( $metadata['original_image'] ?? '' ) ) );
		foreach ( $sizes as $size ) {
			$names[] = wp_basename( (string) ( $size['file'] ?? '' ) );
			foreach ( (array) ( $size['sources'] ?? array() ) as $source ) {
				$names[] = wp_basename( (string) ( $source['file'] ?? '' ) );
			}
		}
		$paths = array_map( static fn ( $name ) => dirname( $main ) . "/$name", array_unique( array_filter( $names, 'strlen' ) ) );
		return array_values( array_filter( $paths, static fn ( $path ) => is_file( $path ) && str_starts_with( self::type( $path ), 'image/' ) ) );
	}

	/**
	 * Metadata with the sizes that the files have.
	 *
	 * @param array<string, mixed> $metadata Of an attachment.
	 * @return array<string, mixed>
	 */
	public static function with_file_sizes( int $attachment, array $metadata ): array {
		$main = (string) get_attached_file( $attachment, true );
		if ( is_file( $main ) && isset( $metadata['filesize'] ) ) {
			$metadata['filesize'] = wp_filesize( $main );
		}
		foreach ( array_filter( (array) ( $metadata['sizes'] ?? array() ), 'is_array' ) as $name => $size ) {
			$path = dirname( $main ) . '/' . wp_basename( (string) ( $size['file'] ?? '' ) );
			if ( is_file( $path ) && isset( $size['filesize'] ) ) {
				$metadata['sizes'][ $name ]['filesize'] = wp_filesize( $path );
			}
		}
		return $metadata;
	}

	/** Media type by content; an empty string: no picture. */
	public static function type( string $path ): string {
		return (string) wp_get_image_mime( $path );
	}

	/** The ledger's name of a path: below the uploads folder, else the path itself. */
	public static function name( string $path ): string {
		$base = trailingslashit( wp_normalize_path( wp_get_upload_dir()['basedir'] ) );
		$path = wp_normalize_path( $path );
		return str_starts_with( $path, $base ) ? substr( $path, strlen( $base ) ) : $path;
	}

	/** The path of a ledger's name. */
	public static function path( string $name ): string {
		return path_is_absolute( $name ) || wp_is_stream( $name ) ? $name : wp_get_upload_dir()['basedir'] . "/$name";
	}
}
