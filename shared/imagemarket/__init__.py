"""The imagemarket library: capabilities on top of pure engines on top of one platform floor."""
