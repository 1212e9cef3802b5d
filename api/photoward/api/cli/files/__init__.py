"""Files in folders and buckets: which there are, how outputs are named, of what they were made."""
