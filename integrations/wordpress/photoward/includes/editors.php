<?php
/**
 * Image editors that write protected files.
 *
 * @package Photoward
 */

declare(strict_types=1);

namespace Photoward\WordPress;

require_once ABSPATH . WPINC . '/class-wp-image-editor.php';
require_once ABSPATH . WPINC . '/class-wp-image-editor-gd.php';
require_once ABSPATH . WPINC . '/class-wp-image-editor-imagick.php';

/**
 * Pictures are loaded from their private original and saved to a private name; only what the gate
 * lets through gets the public one. So sizes are never made from a protected file, and nothing
 * unprotected has a public name, not for a moment.
 */
trait Protecting {
	/** @return true|\WP_Error */
	public function load() {
		$public   = $this->file;
		$original = $this->image ? null : Library::original( $public );
		if ( null === $original ) {
			return parent::load();
		}
		$this->file = $original;
		try {
			$loaded = parent::load();
			if ( ! is_wp_error( $loaded ) ) {
				$this->maybe_exif_rotate();
			}
			return $loaded;
		} finally {
			$this->file = $public;
		}
	}

	/**
	 * @param mixed       $image     GD image or Imagick.
	 * @param string|null $filename  Public.
	 * @param string|null $mime_type Media type.
	 * @return array<string, mixed>|\WP_Error
	 */
	protected function _save( $image, $filename = null, $mime_type = null ) { // phpcs:ignore -- the core's name.
		global $wp_filter;
		list( $public, $extension, $type ) = $this->get_output_format( $filename, $mime_type );
		if ( ! Gate::concerns( (string) $type ) ) {
			return parent::_save( $image, $filename, $mime_type );
		}
		$public  = $public ? $public : $this->generate_filename( null, null, $extension );
		$others  = $wp_filter['image_make_intermediate_size'] ?? null;
		unset( $wp_filter['image_make_intermediate_size'] ); // Nobody may hear of the private file.
		try {
			$private = Vault::temporary( (string) $extension );
			$saved   = parent::_save( $image, $private, $type );
			if ( is_wp_error( $saved ) ) {
				return $saved;
			}
			Library::publish( $private, $public, (string) $type );
		} catch ( \RuntimeException $error ) {
			Hooks::size_refused();
			return new \WP_Error( 'photoward_refused', $error->getMessage(), $public );
		} finally {
			if ( $others ) {
				$wp_filter['image_make_intermediate_size'] = $others; // phpcs:ignore -- as it was.
			}
			if ( isset( $private ) && is_file( $private ) ) {
				unlink( $private );
			}
		}
		$saved['path']     = $public;
		$saved['file']     = wp_basename( apply_filters( 'image_make_intermediate_size', $public ) );
		$saved['filesize'] = wp_filesize( $public );
		return $saved;
	}
}

// phpcs:disable -- two small classes beside their trait.
final class GD_Editor extends \WP_Image_Editor_GD {
	use Protecting;
}

final class Imagick_Editor extends \WP_Image_Editor_Imagick {
	use Protecting;
}
