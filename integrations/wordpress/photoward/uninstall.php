<?php
/**
 * Nothing is removed as long as a private original is needed: restore all originals first.
 *
 * @package Photoward
 */

declare(strict_types=1);

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

/** Remove table and settings of the present site if all of its originals are public again. */
function photoward_uninstall_site(): void {
	global $wpdb;
	$table = $wpdb->prefix . 'photoward_files';
	if ( get_option( 'photoward_schema' ) && $wpdb->get_var( "SELECT COUNT(*) FROM $table WHERE state <> 'restored' AND path NOT LIKE '?%'" ) ) { // phpcs:ignore
		return;
	}
	$wpdb->query( "DROP TABLE IF EXISTS $table" ); // phpcs:ignore
	foreach ( array( 'photoward', 'photoward_schema', 'photoward_backfill' ) as $option ) {
		delete_option( $option );
	}
}

if ( is_multisite() ) {
	foreach ( get_sites( array( 'fields' => 'ids', 'number' => 0 ) ) as $photoward_site ) { // phpcs:ignore
		switch_to_blog( $photoward_site );
		photoward_uninstall_site();
		restore_current_blog();
	}
} else {
	photoward_uninstall_site();
}
