"""Pairs of photographs: what a phone took, and what a good camera took of the same scene.

A data set is a class. Its constructor takes the settings of its YAML in ``conf/data``. Its one method,
``load(cache_dir) -> Pairs``, packs the pairs into the cache on the first call and opens them on every later one.
"""
