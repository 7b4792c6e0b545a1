"""The local stack: the same bundles, clients, names and manifests as the cloud, on one Linux machine."""
