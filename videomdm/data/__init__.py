"""Sources of motion: each module reads or makes one kind, and all hand out a :class:`~videomdm.data.corpus.Corpus`."""
