<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\Photoward;

use MediaWiki\Logger\LoggerFactory;
use MediaWiki\MediaWikiServices;
use Photoward\Client;
use Photoward\Problem;
use RawMessage;
use Status;

/** Protects files before they are public. */
final class Gate {
	/** Protect a local file in place; a fatal status: it must not be published. */
	public static function protect( string $path ): Status {
		$config = MediaWikiServices::getInstance()->getMainConfig();
		$size = self::size( @file_get_contents( $path ) ?: '' );
		if ( $size && min( $size[0], $size[1] ) < $config->get( 'PhotowardMinSide' ) ) {
			return Status::newGood();
		}
		$reason = $size ? self::replace( $path, $size ) : 'It is no picture.';
		if ( $reason === '' ) {
			return Status::newGood();
		}
		$isPublished = $config->get( 'PhotowardUnprotected' ) === 'publish';
		$what = $isPublished ? 'Published without protection' : 'Not published';
		LoggerFactory::getInstance( 'Photoward' )->error( "$what: $path: $reason" );
		return $isPublished ? Status::newGood() : Status::newFatal( new RawMessage( '$1', [ $reason ] ) );
	}

	/** @return string why not; empty: it is protected */
	private static function replace( string $path, array $size ): string {
		$config = MediaWikiServices::getInstance()->getMainConfig();
		$options = [ 'already_protected' => 'pass' ] + (array)$config->get( 'PhotowardOptions' );
		$deadline = (float)$config->get( 'PhotowardDeadline' );
		$client = new Client( $config->get( 'PhotowardUrl' ), $config->get( 'PhotowardKey' ), $deadline );
		try {
			$made = $client->protect( file_get_contents( $path ), $options )->bytes;
		} catch ( Problem $problem ) {
			return trim( "{$problem->getMessage()} $problem->remedy" );
		}
		if ( self::size( $made ) !== $size ) {
			return 'The answer is another picture.';
		}
		$isWritten = file_put_contents( "$path.new", $made ) === strlen( $made ) && rename( "$path.new", $path );
		return $isWritten ? '' : 'It cannot be written.';
	}

	/** @return array{int, int, int}|null width, height in pixels, and format */
	private static function size( string $bytes ): ?array {
		$found = @getimagesizefromstring( $bytes );
		return $found ? [ $found[0], $found[1], $found[2] ] : null;
	}
}
