<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\Photoward;

use LocalFile;

/** A file of the wiki. */
final class Photo extends LocalFile {
	use Rendered;
}
