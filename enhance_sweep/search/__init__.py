"""Search for networks better than those of a grid."""
