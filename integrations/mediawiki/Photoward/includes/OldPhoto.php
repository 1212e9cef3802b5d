<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\Photoward;

use OldLocalFile;

/** An earlier version of a file. */
final class OldPhoto extends OldLocalFile {
	use Rendered;
}
