def at(text, client, *spans):
    """The server's vectors of characters of a text."""
    return client.embed_words(text, spans=spans).vectors
