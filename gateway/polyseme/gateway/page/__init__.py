"""The page: words of sentences, coloured by how close they are to one of them, layer by layer."""
