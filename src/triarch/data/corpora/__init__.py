"""Raw text for language models: read, cleaned, dealt, tokenised into shards."""
