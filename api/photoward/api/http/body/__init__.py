"""What a request brings: photos, forms, JSON and manifests, read while they arrive."""
