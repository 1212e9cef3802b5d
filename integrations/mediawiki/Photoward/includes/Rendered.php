<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\Photoward;

/** A file whose original is private: the picture in full size is a rendition, too. */
trait Rendered {
	/** @inheritDoc */
	public function mustRender() {
		return $this->isPicture() || parent::mustRender();
	}

	/** @inheritDoc */
	public function getUrl() {
		if ( !$this->isPicture() ) {
			return parent::getUrl();
		}
		return wfAppendQuery( $this->repo->getThumbScriptUrl(), $this->query() );
	}

	private function isPicture(): bool {
		return $this->getMediaType() === MEDIATYPE_BITMAP && $this->canRender();
	}

	private function query(): array {
		$version = $this->isOld() ? [ 'f' => $this->getArchiveName(), 'archived' => 1 ] : [ 'f' => $this->getName() ];
		return $version + [ 'width' => $this->getWidth() ];
	}
}
