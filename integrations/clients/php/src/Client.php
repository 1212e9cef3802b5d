<?php

declare(strict_types=1);

namespace Photoward;

/**
 * A Photoward service.
 *
 * 429, 503 and broken connections are retried, after `Retry-After` where the service sends it,
 * until the deadline has passed; everything else that is not a success raises `Problem`.
 * Options are those of `POST /v1/images`: method, preset, label, output_format, …
 */
final class Client
{
    private const PAUSE = 0.5;
    private const TOLERANCE = 300;
    private const PHOTO = 'Content-Type: application/octet-stream';

    /** Seconds within which a connection must stand. */
    public float $connectTimeout = 5.0;

    /**
     * @param string  $url      of the service, without `/v1`
     * @param ?string $key      an API key; null: the service requires none
     * @param float   $deadline seconds that one call may take, with its retries
     */
    public function __construct(private string $url, private ?string $key = null, public float $deadline = 90.0)
    {
        $this->url = rtrim($url, '/');
    }

    /**
     * Protect a photo and wait for the file. The service keeps nothing.
     *
     * @param string               $photo   the bytes of a file
     * @param array<string, mixed> $options
     * @throws Problem also if the answer is no picture
     */
    public function protect(string $photo, array $options = []): Picture
    {
        [$status, $received, $body] = $this->send('POST', '/v1/protect' . self::query($options), $photo, [self::PHOTO]);
        $type = strtolower(trim(explode(';', $received['content-type'] ?? '')[0]));
        if ($status !== 200 || !str_starts_with($type, 'image/')) {
            throw new Problem('no_picture', $status, "The answer is no picture, but $status $type.");
        }
        return new Picture($body, $type, $received);
    }

    /**
     * Submit a photo, to be downloaded later.
     *
     * @param array<string, mixed> $options `batch`, `reference` and `metadata` are among them
     * @param ?string              $idempotencyKey under the same one, one image is made
     * @return array<string, mixed> the image, with `id` and `state`
     */
    public function submit(string $photo, array $options = [], ?string $idempotencyKey = null): array
    {
        $headers = [self::PHOTO, 'Idempotency-Key: ' . ($idempotencyKey ?? bin2hex(random_bytes(16)))];
        return $this->json('POST', '/v1/images' . self::query($options), $photo, $headers);
    }

    /** @return array<string, mixed> an image as it stands */
    public function image(string $id): array
    {
        return $this->json('GET', "/v1/images/$id");
    }

    /**
     * Wait until an image has ended.
     *
     * @return array<string, mixed> the image, `succeeded`
     * @throws Problem it failed, was canceled, or has not ended after `$seconds`
     */
    public function wait(string $id, float $seconds = 300.0): array
    {
        $end = microtime(true) + $seconds;
        for ($pause = self::PAUSE; ; $pause = min(5.0, $pause * 1.5)) {
            $image = $this->image($id);
            if ($image['state'] === 'succeeded') {
                return $image;
            }
            if ($image['state'] === 'failed') {
                throw self::problem((int) ($image['error']['status'] ?? 500), (array) $image['error'], []);
            }
            if ($image['state'] === 'canceled') {
                throw new Problem('canceled', 409, 'The image was canceled.');
            }
            if (microtime(true) + $pause > $end) {
                throw new Problem('not_in_time', 503, "The image was not finished in $seconds seconds.");
            }
            usleep((int) ($pause * 1e6));
        }
    }

    /** The protected file of an image; `$query` names one of its renditions. */
    public function download(string $id, array $query = []): Picture
    {
        [, $headers, $body] = $this->send('GET', "/v1/images/$id/content" . self::query($query));
        return new Picture($body, $headers['content-type'] ?? '', $headers);
    }

    /** Delete an image and its files; it is no error if they are gone already. */
    public function delete(string $id): void
    {
        try {
            $this->send('DELETE', "/v1/images/$id");
        } catch (Problem $problem) {
            in_array($problem->status, [404, 410], true) || throw $problem;
        }
    }

    /**
     * Submit several photos as one batch.
     *
     * @param iterable<string, string> $photos  your own name of each → its bytes
     * @param array<string, mixed>     $options for all of them
     * @return array{id: string, images: array<string, string>} the batch, and name → id of the image
     */
    public function batch(iterable $photos, array $options = []): array
    {
        $made = $this->json('POST', '/v1/batches' . self::query($options));
        $images = [];
        foreach ($photos as $name => $photo) {
            $key = hash('sha256', "{$made['id']}/$name");
            $images[$name] = (string) $this->submit($photo, ['batch' => $made['id']], $key)['id'];
        }
        return ['id' => (string) $made['id'], 'images' => $images];
    }

    /** @return array<string, mixed> any resource that answers with JSON */
    public function json(string $method, string $path, string $body = '', array $headers = []): array
    {
        $decoded = json_decode($this->send($method, $path, $body, $headers)[2], true);
        return is_array($decoded) ? $decoded : throw new Problem('no_json', 502, 'The answer is no JSON.');
    }

    /**
     * The content of a webhook's message (Standard Webhooks), if its signature holds.
     *
     * @param string                $body    as it arrived
     * @param array<string, string> $headers of the request
     * @param string                $secret  `whsec_…`
     * @return array<string, mixed>
     * @throws \UnexpectedValueException it was not sent by the holder of the secret, or too long ago
     */
    public static function verifyWebhook(string $body, array $headers, string $secret): array
    {
        $headers = array_change_key_case($headers);
        [$id, $time] = [$headers['webhook-id'] ?? '', $headers['webhook-timestamp'] ?? ''];
        $known = (string) base64_decode((string) preg_replace('/^whsec_/', '', $secret), true);
        $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$time.$body", $known, true));
        foreach (explode(' ', $headers['webhook-signature'] ?? '') as $signature) {
            $isRecent = abs(time() - (int) $time) <= self::TOLERANCE;
            if ($known !== '' && $isRecent && hash_equals($expected, $signature)) {
                return json_decode($body, true, 64, JSON_THROW_ON_ERROR);
            }
        }
        throw new \UnexpectedValueException('The signature does not hold, or is not of now.');
    }

    /** @return array{int, array<string, string>, string} status, headers, body */
    private function send(string $method, string $path, string $body = '', array $headers = []): array
    {
        $end = microtime(true) + $this->deadline;
        for ($pause = self::PAUSE; ; $pause *= 2) {
            try {
                return $this->sendOnce($method, $path, $body, $headers, $end - microtime(true));
            } catch (Problem $problem) {
                $rest = max($pause, $problem->retryAfter ?? 0.0);
                $isOver = microtime(true) + $rest >= $end;
                if ($isOver || !in_array($problem->status, [0, 429, 503], true)) {
                    throw $problem;
                }
                usleep((int) ($rest * 1e6));
            }
        }
    }

    private function sendOnce(string $method, string $path, string $body, array $headers, float $seconds): array
    {
        $received = [];
        $handle = curl_init($this->url . $path);
        $key = (string) $this->key === '' ? [] : ["Authorization: Bearer $this->key"];
        curl_setopt_array($handle, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => [...$headers, ...$key, 'Expect:', 'User-Agent: photoward-php'],
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_CONNECTTIMEOUT_MS => (int) (1000 * $this->connectTimeout),
            CURLOPT_TIMEOUT_MS => max(1, (int) (1000 * $seconds)),
            CURLOPT_HEADERFUNCTION => static function ($_, string $line) use (&$received): int {
                [$name, $value] = [...explode(':', $line, 2), ''];
                $received[strtolower($name)] = trim($value);
                return strlen($line);
            },
        ] + ($method === 'POST' ? [CURLOPT_POSTFIELDS => $body] : []));
        $answer = curl_exec($handle);
        $status = (int) curl_getinfo($handle, CURLINFO_RESPONSE_CODE);
        if ($answer === false) {
            throw new Problem('unreachable', 0, curl_error($handle), 'Check the address of the service.');
        }
        if ($status < 200 || $status >= 300) {
            throw self::problem($status, (array) json_decode($answer, true), $received);
        }
        return [$status, $received, $answer];
    }

    private static function problem(int $status, array $told, array $headers): Problem
    {
        $after = $headers['retry-after'] ?? null;
        $detail = (string) ($told['detail'] ?? $told['title'] ?? "The service answered $status.");
        $remedy = (string) ($told['remedy'] ?? '');
        $code = (string) ($told['code'] ?? "http_$status");
        return new Problem($code, $status, $detail, $remedy, is_numeric($after) ? (float) $after : null);
    }

    private static function query(array $options): string
    {
        $sent = array_filter($options, static fn ($value) => $value !== null && $value !== '');
        $text = static fn ($value) => is_scalar($value) && !is_bool($value) ? $value : json_encode($value);
        return $sent === [] ? '' : '?' . http_build_query(array_map($text, $sent));
    }
}
