"""What the chip's own module says of its memory."""

HEAP_DATA = 4


def idf_heap_info(kind):
    return [(120000, 60000, 40000, 50000)]
