<?php
/**
 * `php wp-content/plugins/photoward/cli.php COMMAND`: what `wp photoward COMMAND` does, without WP-CLI.
 * `--url=…` names the site of a network, `--path=…` the folder of WordPress.
 *
 * @package Photoward
 */

declare(strict_types=1);

if ( 'cli' !== PHP_SAPI ) {
	http_response_code( 404 );
	exit;
}
$photoward_flags = array();
$photoward_words = array();
foreach ( array_slice( $argv, 1 ) as $photoward_word ) {
	if ( str_starts_with( $photoward_word, '--' ) ) {
		list( $photoward_name, $photoward_value ) = array_pad( explode( '=', substr( $photoward_word, 2 ), 2 ), 2, true );
		$photoward_flags[ $photoward_name ]       = $photoward_value;
	} else {
		$photoward_words[] = $photoward_word;
	}
}
$photoward_url = photoward_site( (string) ( $photoward_flags['url'] ?? '' ) );

$_SERVER['HTTP_HOST']   = $photoward_url['host'];
$_SERVER['REQUEST_URI'] = $photoward_url['path'];
require ( $photoward_flags['path'] ?? dirname( __DIR__, 3 ) ) . '/wp-load.php';

if ( is_multisite() && get_site()->domain . get_site()->path !== implode( '', $photoward_url ) ) {
	echo "There is no site with this --url.\n";
	exit( 1 );
}
exit(
	\Photoward\WordPress\Commands::run(
		(string) array_shift( $photoward_words ),
		$photoward_words,
		$photoward_flags,
		static function ( string $line ): void {
			echo $line, PHP_EOL;
		}
	)
);

/** @return array{host: string, path: string} What the web server would say. */
function photoward_site( string $url ): array {
	$parts = parse_url( $url ) ?: array();
	$port  = isset( $parts['port'] ) ? ":{$parts['port']}" : '';
	return array(
		'host' => ( $parts['host'] ?? 'localhost' ) . $port,
		'path' => rtrim( $parts['path'] ?? '', '/' ) . '/',
	);
}
