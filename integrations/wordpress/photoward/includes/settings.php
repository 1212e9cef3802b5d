<?php
/**
 * What the owner has set, per site.
 *
 * @package Photoward
 */

declare(strict_types=1);

namespace Photoward\WordPress;

use Photoward\Client;

/** Option `photoward`; the constants PHOTOWARD_URL and PHOTOWARD_KEY of wp-config.php come first. */
final class Settings {
	public const OPTION = 'photoward';
	public const FAILURES = array( 'closed', 'hold', 'open' );

	private const DEFAULTS = array(
		'url'      => '',
		'key'      => '',
		'failure'  => 'closed',
		'deadline' => 25,
		'method'   => '',
		'preset'   => '',
		'label'    => '',
		'quality'  => '',
		'others'   => 'refuse',
	);

	/** One setting, by its name in DEFAULTS. */
	public static function get( string $name ): string {
		$constant = 'PHOTOWARD_' . strtoupper( $name );
		if ( in_array( $name, array( 'url', 'key' ), true ) && defined( $constant ) ) {
			return (string) constant( $constant );
		}
		$set = get_option( self::OPTION );
		return (string) ( ( is_array( $set ) ? $set : array() ) + self::DEFAULTS )[ $name ];
	}

	/** Whether a service is named: without one nothing is protected, and the owner is told. */
	public static function is_active(): bool {
		return self::get( 'url' ) !== '';
	}

	/**
	 * What a form has sent, in bounds.
	 *
	 * @param mixed $sent From the form.
	 * @return array<string, string|int>
	 */
	public static function sanitize( mixed $sent ): array {
		$sent = array_map( 'sanitize_text_field', array_filter( (array) $sent, 'is_scalar' ) ) + self::DEFAULTS;
		$kept = array_intersect_key( $sent, self::DEFAULTS );

		$kept['url']      = untrailingslashit( esc_url_raw( $kept['url'], array( 'http', 'https' ) ) );
		$kept['deadline'] = min( 600, max( 2, (int) $kept['deadline'] ) );
		$kept['failure']  = in_array( $kept['failure'], self::FAILURES, true ) ? $kept['failure'] : 'closed';
		$kept['others']   = 'leave' === $kept['others'] ? 'leave' : 'refuse';
		if ( '' === $kept['key'] && '' !== $kept['url'] ) {
			$kept['key'] = (string) ( ( (array) get_option( self::OPTION ) )['key'] ?? '' );
		}
		return $kept;
	}

	/** @return array<string, string> The options that every photo is sent with. */
	public static function options(): array {
		$names = array( 'method', 'preset', 'label', 'quality' );
		return array_filter( array_combine( $names, array_map( array( self::class, 'get' ), $names ) ), 'strlen' );
	}

	/** @param float $deadline Seconds that one call may take. */
	public static function client( float $deadline ): Client {
		return new Client( self::get( 'url' ), self::get( 'key' ), $deadline );
	}
}
