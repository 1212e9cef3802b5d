<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\Photoward;

use File;
use FSFile;
use LocalRepo;
use Status;

/** The wiki's files: a rendition is protected before it is stored. */
final class Repo extends LocalRepo {
	/** @inheritDoc */
	protected $fileFactory = [ Photo::class, 'newFromTitle' ];
	/** @inheritDoc */
	protected $fileFactoryKey = [ Photo::class, 'newFromKey' ];
	/** @inheritDoc */
	protected $fileFromRowFactory = [ Photo::class, 'newFromRow' ];
	/** @inheritDoc */
	protected $oldFileFactory = [ OldPhoto::class, 'newFromTitle' ];
	/** @inheritDoc */
	protected $oldFileFactoryKey = [ OldPhoto::class, 'newFromKey' ];
	/** @inheritDoc */
	protected $oldFileFromRowFactory = [ OldPhoto::class, 'newFromRow' ];

	/** @inheritDoc */
	public function newFromArchiveName( $title, $archiveName ) {
		return OldPhoto::newFromArchiveName( File::normalizeTitle( $title ), $this, $archiveName );
	}

	/**
	 * The one way into the public folder. If one file cannot be protected none is stored.
	 *
	 * @inheritDoc
	 */
	public function quickImportBatch( array $triples ) {
		$status = Status::newGood();
		foreach ( $triples as [ $source, $target ] ) {
			if ( $this->isPublic( $target ) ) {
				$path = $source instanceof FSFile ? $source->getPath() : $source;
				$status->merge( Gate::protect( $path ) );
			}
		}
		return $status->isOK() ? parent::quickImportBatch( $triples ) : $status;
	}

	private function isPublic( string $target ): bool {
		$path = $this->resolveToStoragePathIfVirtual( $target );
		return str_starts_with( $path, $this->getZonePath( 'thumb' ) . '/' );
	}
}
