<?php

declare(strict_types=1);

namespace Photoward;

/** A refusal (RFC 9457): `$problem` is its stable code, `$remedy` what to do. Status 0: nothing answered. */
final class Problem extends \RuntimeException
{
    public function __construct(public string $problem, public int $status, string $detail, public string $remedy = '', public ?float $retryAfter = null)
    {
        parent::__construct($detail);
    }

    /** Whether the same request may succeed later, after `$retryAfter` seconds if the service named some. */
    public function isTransient(): bool
    {
        return in_array($this->status, [0, 408, 429, 500, 502, 503, 504, 507], true);
    }
}
