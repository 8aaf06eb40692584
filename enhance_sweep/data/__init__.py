"""Pairs of photographs: what a phone took, and what a good camera took of the same scene.

A data set is a class whose constructor takes the arguments of its YAML in ``conf/data`` and whose one method,
``load(cache_dir) -> Pairs``, packs the pairs into the cache on the first call and opens them on every later one.
"""
