<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\Photoward;

use ConfigException;
use LocalRepo;

/** Originals stay private; what is published are renditions of this extension's repository. */
final class Setup {
	/** @throws ConfigException the settings would publish originals */
	public static function run(): void {
		global $IP, $wgLocalFileRepo, $wgPhotowardThumbnails, $wgScriptPath, $wgThumbnailBuckets,
			$wgUploadPath;
		if ( !in_array( $wgLocalFileRepo['class'], [ LocalRepo::class, Repo::class ], true ) ) {
			throw new ConfigException( 'Photoward needs LocalRepo as the class of $wgLocalFileRepo.' );
		}
		self::requirePrivate( (string)$wgLocalFileRepo['directory'] );
		$wgLocalFileRepo = [
			'class' => Repo::class,
			'thumbDir' => $wgPhotowardThumbnails ?: "$IP/images/thumb",
			'thumbUrl' => "$wgUploadPath/thumb",
			// Pictures are made when they are looked at: no page waits for them.
			'thumbScriptUrl' => $wgLocalFileRepo['thumbScriptUrl'] ?: "$wgScriptPath/thumb.php",
		] + $wgLocalFileRepo;
		// Renditions are made from originals, never from what is protected.
		$wgThumbnailBuckets = null;
	}

	private static function requirePrivate( string $originals ): void {
		global $IP;
		// Debian's images are a link to another place that is served as well.
		$served = array_filter( [ $IP, "$IP/images", $_SERVER['DOCUMENT_ROOT'] ?? '' ] );
		foreach ( $served as $public ) {
			$inside = rtrim( realpath( $public ) ?: $public, '/' ) . '/';
			if ( str_starts_with( ( realpath( $originals ) ?: $originals ) . '/', $inside ) ) {
				throw new ConfigException(
					"Photoward: the original photos in $originals are public. Move them out of $public " .
					'and set $wgUploadDirectory to where they are.'
				);
			}
		}
	}
}
