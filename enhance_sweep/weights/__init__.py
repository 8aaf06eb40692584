"""Weights of networks in files: ours and others', read without running code from them."""
