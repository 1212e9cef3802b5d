<?php
/**
 * Settings and Tools.
 *
 * @package Photoward
 */

declare(strict_types=1);

namespace Photoward\WordPress;

/** Two pages for the owner, and notices about what must not go unseen. */
final class Admin {
	private const SETTINGS = 'photoward';
	private const TOOLS    = 'photoward-tools';

	/** Add the pages. */
	public static function register(): void {
		add_action( 'admin_menu', array( self::class, 'menu' ) );
		add_action( 'admin_init', array( self::class, 'init' ) );
		add_action( 'admin_notices', array( self::class, 'notices' ) );
		add_action( 'admin_post_photoward', array( self::class, 'act' ) );
		add_filter( 'plugin_action_links_' . plugin_basename( PLUGIN_FILE ), array( self::class, 'links' ) );
	}

	public static function menu(): void {
		add_options_page( 'Photoward', 'Photoward', 'manage_options', self::SETTINGS, array( self::class, 'settings_page' ) );
		add_management_page( 'Photoward', 'Photoward', 'manage_options', self::TOOLS, array( self::class, 'tools_page' ) );
	}

	public static function init(): void {
		register_setting( self::SETTINGS, Settings::OPTION, array( 'sanitize_callback' => array( Settings::class, 'sanitize' ) ) );
	}

	/** @param string[] $links Of the plug-in's row. */
	public static function links( array $links ): array {
		$url = esc_url( admin_url( 'options-general.php?page=' . self::SETTINGS ) );
		return array_merge( array( "<a href='$url'>" . esc_html__( 'Settings', 'photoward' ) . '</a>' ), $links );
	}

	/** What the owner must know wherever they are. */
	public static function notices(): void {
		if ( ! current_user_can( 'manage_options' ) ) {
			return;
		}
		if ( ! Settings::is_active() ) {
			self::notice( 'warning', __( 'Photoward protects nothing yet: name its service.', 'photoward' ), 'options-general.php?page=' . self::SETTINGS );
			return;
		}
		$counts = Ledger::counts();
		foreach ( array(
			/* translators: %d: files */
			Ledger::HELD   => __( 'Photoward: %d files are held; visitors see a grey placeholder until the service has protected them.', 'photoward' ),
			/* translators: %d: files */
			Ledger::OPEN   => __( 'Photoward: %d files are public without protection until the service has protected them.', 'photoward' ),
			/* translators: %d: files */
			Ledger::FAILED => __( 'Photoward: %d files could not be protected.', 'photoward' ),
		) as $state => $words ) {
			if ( ! empty( $counts[ $state ] ) ) {
				self::notice( 'warning', sprintf( $words, $counts[ $state ] ), 'tools.php?page=' . self::TOOLS );
			}
		}
	}

	public static function settings_page(): void {
		?>
		<div class="wrap">
			<h1>Photoward</h1>
			<?php self::results( 'photoward_test_' . get_current_user_id() ); ?>
			<form method="post" action="options.php">
				<?php settings_fields( self::SETTINGS ); ?>
				<table class="form-table" role="presentation">
					<?php
					self::text( 'url', __( 'Address of the service', 'photoward' ), 'url', __( 'For example https://photos.example. Without one, nothing is protected.', 'photoward' ) );
					self::text( 'key', __( 'API key', 'photoward' ), 'password', __( 'A key with the scopes read and write, if the service requires one. It is kept when this is left empty, and forgotten with the address.', 'photoward' ) );
					self::choice(
						'failure',
						__( 'When a photo cannot be protected', 'photoward' ),
						array(
							'closed' => __( 'Refuse it: nothing is published', 'photoward' ),
							'hold'   => __( 'Hold it: a grey placeholder is published until it is protected', 'photoward' ),
							'open'   => __( 'Publish it without protection, and protect it later', 'photoward' ),
						)
					);
					self::choice(
						'others',
						__( 'Pictures that cannot be protected (GIF, BMP, TIFF, ICO)', 'photoward' ),
						array(
							'refuse' => __( 'Refuse them', 'photoward' ),
							'leave'  => __( 'Publish them without protection', 'photoward' ),
						)
					);
					self::text( 'deadline', __( 'Seconds for one upload', 'photoward' ), 'number', __( 'For the photo and all of its sizes. Below the limits of PHP and of the web server; sizes that are not ready by then follow later.', 'photoward' ) );
					self::text( 'preset', __( 'Preset', 'photoward' ), 'text', __( 'subtle, standard, strong, maximum or hosted. Empty: as the service has it.', 'photoward' ) );
					self::text( 'method', __( 'Method', 'photoward' ), 'text', __( 'Empty: as the service has it.', 'photoward' ) );
					self::text( 'label', __( 'Label', 'photoward' ), 'text', __( 'What most of your photos show. Empty: the service looks.', 'photoward' ) );
					self::text( 'quality', __( 'Quality', 'photoward' ), 'text', __( 'same, or 1 to 100. Empty: as the service has it.', 'photoward' ) );
					?>
				</table>
				<?php submit_button(); ?>
			</form>
			<?php self::button( 'test', __( 'Test connection', 'photoward' ), ! Settings::is_active() ); ?>
			<p><?php esc_html_e( 'The test protects a small picture and looks whether visitors can reach the private originals.', 'photoward' ); ?></p>
		</div>
		<?php
	}

	public static function tools_page(): void {
		$progress = Backfill::progress();
		$running  = 'running' === $progress['state'];
		?>
		<div class="wrap">
			<h1>Photoward</h1>
			<?php
			self::results( 'photoward_done_' . get_current_user_id() );
			if ( ! Settings::is_active() ) {
				echo '</div>';
				return;
			}
			self::counts();
			?>
			<h2><?php esc_html_e( 'Protect what is there already', 'photoward' ); ?></h2>
			<p>
				<?php
				/* translators: %s: state */
				echo esc_html( sprintf( __( 'Back-fill: %s.', 'photoward' ), self::state_words()[ $progress['state'] ] ?? $progress['state'] ) . ' ' . $progress['error'] );
				?>
			</p>
			<?php
			self::button( 'start', __( 'Protect the library', 'photoward' ), $running );
			self::button( 'pause', __( 'Pause', 'photoward' ), ! $running );
			self::button( 'resume', __( 'Go on', 'photoward' ), 'paused' !== $progress['state'] );
			self::button( 'step', __( 'Work now for 20 seconds', 'photoward' ), false );
			self::button( 'retry', __( 'Retry what failed', 'photoward' ), ! ( Ledger::counts()[ Ledger::FAILED ] ?? 0 ) );
			self::failures();
			?>
			<h2><?php esc_html_e( 'Undo', 'photoward' ); ?></h2>
			<p><?php esc_html_e( 'Every file becomes what it was, byte for byte. The originals stay in the private folder. New uploads are still protected until you deactivate the plug-in.', 'photoward' ); ?></p>
			<?php self::button( 'restore', __( 'Restore all originals', 'photoward' ), false, __( 'All photos become public without protection. Go on?', 'photoward' ) ); ?>
		</div>
		<?php
	}

	/** A button was pressed. */
	public static function act(): void {
		if ( ! current_user_can( 'manage_options' ) ) {
			wp_die( esc_html__( 'You may not do that.', 'photoward' ), '', 403 );
		}
		check_admin_referer( 'photoward' );
		$deed = sanitize_key( $_POST['deed'] ?? '' );
		$back = 'test' === $deed ? 'options-general.php?page=' . self::SETTINGS : 'tools.php?page=' . self::TOOLS;
		$told = self::perform( $deed );
		set_transient( ( 'test' === $deed ? 'photoward_test_' : 'photoward_done_' ) . get_current_user_id(), $told, 60 );
		wp_safe_redirect( admin_url( $back ) );
		exit;
	}

	/** @return list<array{bool, string}> */
	private static function perform( string $deed ): array {
		switch ( $deed ) {
			case 'test':
				return Commands::test();
			case 'start':
				Backfill::start();
				return array( array( true, __( 'The back-fill runs in the background.', 'photoward' ) ) );
			case 'pause':
			case 'resume':
				Backfill::set_paused( 'pause' === $deed );
				return array();
			case 'step':
				Backfill::step( 20.0 );
				return array();
			case 'retry':
				/* translators: %d: files */
				return array( array( true, sprintf( __( '%d files are tried again.', 'photoward' ), Backfill::retry() ) ) );
			case 'restore':
				$done = Backfill::restore();
				/* translators: 1: files, 2: files, 3: files */
				$words = __( '%1$d files restored, %2$d left alone because another program has changed them, %3$d without an original.', 'photoward' );
				return array( array( ! $done['failed'], sprintf( $words, $done['restored'], count( $done['changed'] ), count( $done['failed'] ) ) ) );
		}
		return array( array( false, __( 'There is no such action.', 'photoward' ) ) );
	}

	private static function counts(): void {
		echo '<table class="widefat striped" style="max-width: 40em"><thead><tr>';
		foreach ( array( __( 'Files', 'photoward' ), __( 'Number', 'photoward' ), __( 'Size', 'photoward' ) ) as $title ) {
			echo '<th>' . esc_html( $title ) . '</th>';
		}
		echo '</tr></thead><tbody>';
		foreach ( Backfill::count() as $state => $count ) {
			$cells = array( self::state_words()[ $state ] ?? $state, number_format_i18n( $count['files'] ), (string) size_format( $count['bytes'], 1 ) );
			echo '<tr><td>' . implode( '</td><td>', array_map( 'esc_html', $cells ) ) . '</td></tr>'; // phpcs:ignore -- escaped.
		}
		echo '</tbody></table>';
	}

	private static function failures(): void {
		$rows = Ledger::in_state( Ledger::FAILED, 20 );
		if ( $rows ) {
			echo '<h3>' . esc_html__( 'What failed', 'photoward' ) . '</h3><ul>';
			foreach ( $rows as $row ) {
				echo '<li><code>' . esc_html( $row['path'] ) . '</code> ' . esc_html( $row['error'] ) . '</li>';
			}
			echo '</ul>';
		}
	}

	/** @return array<string, string> */
	private static function state_words(): array {
		return array(
			Ledger::PROTECTED    => __( 'protected', 'photoward' ),
			Ledger::HELD         => __( 'held: a placeholder is public', 'photoward' ),
			Ledger::OPEN         => __( 'public without protection, to be protected', 'photoward' ),
			Ledger::SENT         => __( 'sent to the service', 'photoward' ),
			Ledger::FAILED       => __( 'failed', 'photoward' ),
			Ledger::RESTORED     => __( 'restored: the original is public', 'photoward' ),
			Library::TODO        => __( 'not protected yet', 'photoward' ),
			Library::CHANGED     => __( 'changed by another program', 'photoward' ),
			Library::UNSUPPORTED => __( 'of a type that cannot be protected', 'photoward' ),
			'idle'               => __( 'not started', 'photoward' ),
			'running'            => __( 'running', 'photoward' ),
			'paused'             => __( 'paused', 'photoward' ),
			'done'               => __( 'finished', 'photoward' ),
		);
	}

	private static function results( string $transient ): void {
		foreach ( array_filter( (array) get_transient( $transient ) ) as $result ) {
			self::notice( $result[0] ? 'success' : 'error', $result[1] );
		}
		delete_transient( $transient );
	}

	private static function notice( string $kind, string $words, string $page = '' ): void {
		$link = $page ? ' <a href="' . esc_url( admin_url( $page ) ) . '">' . esc_html__( 'Open', 'photoward' ) . '</a>' : '';
		echo '<div class="notice notice-' . esc_attr( $kind ) . '"><p>' . esc_html( $words ) . $link . '</p></div>'; // phpcs:ignore -- escaped.
	}

	private static function text( string $name, string $title, string $kind, string $help ): void {
		$value = 'password' === $kind ? '' : Settings::get( $name );
		$hint  = 'password' === $kind && Settings::get( $name ) !== '' ? '••••••••' : '';
		printf(
			'<tr><th scope="row"><label for="photoward-%1$s">%2$s</label></th><td><input class="regular-text" id="photoward-%1$s" name="photoward[%1$s]" type="%3$s" value="%4$s" placeholder="%5$s" autocomplete="off"><p class="description">%6$s</p></td></tr>',
			esc_attr( $name ),
			esc_html( $title ),
			esc_attr( $kind ),
			esc_attr( $value ),
			esc_attr( $hint ),
			esc_html( $help )
		);
	}

	/** @param array<string, string> $choices Value → words. */
	private static function choice( string $name, string $title, array $choices ): void {
		echo '<tr><th scope="row">' . esc_html( $title ) . '</th><td><fieldset>';
		foreach ( $choices as $value => $words ) {
			printf(
				'<label><input type="radio" name="photoward[%s]" value="%s" %s> %s</label><br>',
				esc_attr( $name ),
				esc_attr( $value ),
				checked( Settings::get( $name ), $value, false ),
				esc_html( $words )
			);
		}
		echo '</fieldset></td></tr>';
	}

	private static function button( string $deed, string $words, bool $disabled, string $question = '' ): void {
		$asks = $question ? ' onsubmit="return confirm(' . esc_attr( wp_json_encode( $question ) ) . ')"' : '';
		echo '<form method="post" style="display: inline-block" action="' . esc_url( admin_url( 'admin-post.php' ) ) . "\"$asks>"; // phpcs:ignore -- escaped.
		wp_nonce_field( 'photoward' );
		printf( '<input type="hidden" name="action" value="photoward"><input type="hidden" name="deed" value="%s">', esc_attr( $deed ) );
		submit_button( $words, 'secondary', 'submit', false, $disabled ? array( 'disabled' => 'disabled' ) : array() );
		echo '</form> ';
	}
}
