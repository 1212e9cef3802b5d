<?php
/**
 * What may become public in a photo's place.
 *
 * @package Photoward
 */

declare(strict_types=1);

namespace Photoward\WordPress;

use Photoward\Picture;
use Photoward\Problem;

/** A photo that must not be published; the message is for the owner. */
final class Refused extends \RuntimeException {}

/** The bytes that may be public, and how that came. */
final class Verdict {
	public function __construct(
		public string $bytes,
		public string $original,
		public string $state,
		public string $error = '',
	) {}

	/** @return array<string, string> For the ledger. */
	public function row(): array {
		return array(
			'original'  => $this->original,
			'protected' => hash( 'sha256', $this->bytes ),
			'state'     => $this->state,
			'item'      => '',
			'error'     => $this->error,
		);
	}
}

/** Asks the service, and applies the owner's choice when it cannot help. */
final class Gate {
	/** What the service takes and gives back in the same format. */
	public const TYPES = array( 'image/jpeg', 'image/png', 'image/webp', 'image/avif' );

	/** The first fault of the service in this request: it is not asked again. */
	private static ?Problem $fault = null;
	private static float $spent    = 0.0;

	/** Whether a file of this type is a photo of which the plug-in can speak. */
	public static function concerns( string $type ): bool {
		return Settings::is_active() && str_starts_with( $type, 'image/' )
			&& ( in_array( $type, self::TYPES, true ) || 'refuse' === Settings::get( 'others' ) );
	}

	/**
	 * Keep the original of a private file and decide what may be public.
	 *
	 * @param string $file That no visitor can reach.
	 * @param string $type Its media type.
	 * @throws Refused Nothing may.
	 */
	public static function decide( string $file, string $type ): Verdict {
		if ( ! in_array( $type, self::TYPES, true ) ) {
			/* translators: %s: media type */
			throw new Refused( sprintf( __( 'Photoward: files of type %s cannot be protected. Upload the picture as JPEG, PNG, WebP or AVIF, or let other types through in the settings.', 'photoward' ), $type ) );
		}
		try {
			$original = Vault::put( $file );
			return new Verdict( self::ask( $file, $type )->bytes, $original, Ledger::PROTECTED );
		} catch ( Problem $problem ) {
			if ( 'already_protected' === $problem->problem ) {
				return new Verdict( (string) file_get_contents( $file ), $original, Ledger::PROTECTED );
			}
			return self::without( $problem, $file, $type, $original );
		} catch ( \RuntimeException $error ) {
			throw new Refused( 'Photoward: ' . $error->getMessage() );
		}
	}

	/**
	 * Whether an answer is the protected form of a file.
	 *
	 * @throws Problem It is not.
	 */
	public static function check( Picture $picture, string $file, string $type ): Picture {
		$size = getimagesizefromstring( $picture->bytes );
		$seen = $size ? array( $size[0], $size[1] ) : array();
		if ( $picture->type !== $type || self::displayed_size( $file ) !== $seen ) {
			throw new Problem( 'no_picture', 502, __( 'The service answered with something else than the picture in its size and format.', 'photoward' ) );
		}
		return $picture;
	}

	/** Words for the owner. */
	public static function words( Problem $problem ): string {
		return trim( "Photoward: {$problem->getMessage()} $problem->remedy" );
	}

	/** @throws Problem The service did not protect it. */
	private static function ask( string $file, string $type ): Picture {
		$deadline = (float) Settings::get( 'deadline' );
		$patient  = wp_doing_cron() || 'cli' === PHP_SAPI;
		$rest     = $patient ? max( 60.0, $deadline ) : $deadline - self::$spent;
		if ( self::$fault && ! $patient ) {
			throw self::$fault;
		}
		if ( $rest < 1 ) {
			throw new Problem( 'not_in_time', 503, __( 'The time for this upload is used up.', 'photoward' ) );
		}
		$begin = microtime( true );
		try {
			$bytes = (string) file_get_contents( $file );
			return self::check( Settings::client( $rest )->protect( $bytes, Settings::options() ), $file, $type );
		} catch ( Problem $problem ) {
			self::$fault = $problem->isTransient() ? $problem : self::$fault;
			throw $problem;
		} finally {
			self::$spent += microtime( true ) - $begin;
		}
	}

	/** @throws Refused Under "closed", and under "hold" what would be held for ever. */
	private static function without( Problem $problem, string $file, string $type, string $original ): Verdict {
		$words = self::words( $problem );
		$mode  = Settings::get( 'failure' );
		if ( 'open' === $mode ) {
			$state = $problem->isTransient() ? Ledger::OPEN : Ledger::FAILED;
			return new Verdict( (string) file_get_contents( $file ), $original, $state, $words );
		}
		if ( 'hold' === $mode && $problem->isTransient() ) {
			return new Verdict( self::placeholder( $file, $type ), $original, Ledger::HELD, $words );
		}
		throw new Refused( $words );
	}

	/**
	 * A grey picture of the same size and format, that is unlike any other.
	 *
	 * @throws Refused This PHP cannot write the format.
	 */
	public static function placeholder( string $file, string $type ): string {
		$write = 'image' . substr( $type, 6 );
		$size  = self::displayed_size( $file );
		if ( ! function_exists( $write ) || ! $size ) {
			throw new Refused( __( 'Photoward: the photo cannot be held, because PHP cannot write a placeholder of its type.', 'photoward' ) );
		}
		$image = imagecreatetruecolor( ...$size );
		imagefill( $image, 0, 0, imagecolorallocate( $image, 222, 222, 222 ) );
		foreach ( str_split( random_bytes( 16 ) ) as $place => $value ) {
			imagesetpixel( $image, $place * 8 % $size[0], intdiv( $place * 8, $size[0] ) % $size[1], imagecolorallocate( $image, ord( $value ), ord( $value ), ord( $value ) ) );
		}
		ob_start();
		$write( $image );
		return (string) ob_get_clean();
	}

	/** @return array{}|array{int, int} Width and height as a viewer sees them. */
	private static function displayed_size( string $file ): array {
		$size = wp_getimagesize( $file );
		if ( ! $size ) {
			return array();
		}
		$exif   = IMAGETYPE_JPEG === $size[2] && function_exists( 'exif_read_data' ) ? @exif_read_data( $file ) : false; // phpcs:ignore -- as the core does.
		$turned = is_array( $exif ) && (int) ( $exif['Orientation'] ?? 1 ) >= 5;
		return $turned ? array( $size[1], $size[0] ) : array( $size[0], $size[1] );
	}
}
