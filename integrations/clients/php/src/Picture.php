<?php

declare(strict_types=1);

namespace Photoward;

/** A protected file: its bytes, its media type, and the headers of the answer in lower case. */
final class Picture
{
    /** @param array<string, string> $headers */
    public function __construct(public string $bytes, public string $type, public array $headers)
    {
    }
}
