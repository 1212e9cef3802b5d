<?php
/**
 * Plugin Name:       Photoward
 * Description:       Protects every published photo against training, through a Photoward service that you run.
 * Version:           0.1.0
 * Requires at least: 6.1
 * Requires PHP:      8.0
 * License:           GPL-2.0-or-later
 * License URI:       https://www.gnu.org/licenses/gpl-2.0.html
 * Text Domain:       photoward
 *
 * @package Photoward
 */

declare(strict_types=1);

namespace Photoward\WordPress;

defined( 'ABSPATH' ) || exit;

const PLUGIN_FILE = __FILE__;

foreach ( array( 'Problem', 'Picture', 'Client' ) as $part ) {
	if ( ! class_exists( "Photoward\\$part", false ) ) {
		require __DIR__ . "/client/$part.php";
	}
}
foreach ( array( 'settings', 'vault', 'ledger', 'gate', 'library', 'hooks', 'backfill', 'commands', 'admin' ) as $part ) {
	require __DIR__ . "/includes/$part.php";
}

register_activation_hook( __FILE__, array( Ledger::class, 'create' ) );
register_deactivation_hook( __FILE__, array( Backfill::class, 'unschedule' ) );
Hooks::register();
Backfill::register();
Admin::register();
if ( defined( 'WP_CLI' ) && \WP_CLI ) {
	Commands::register();
}
