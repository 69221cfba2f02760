"""From rows to profiles: read a frame or file, encode its columns with a yardstick, count, merge."""
