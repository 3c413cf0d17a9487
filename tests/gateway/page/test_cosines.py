import numpy as np

from polyseme.gateway.page.cosines import cosines, rounded


def test_cosines_of_vectors_of_no_length_are_0():
    vectors = np.array([[0, 0], [3, 4], [-3, -4]], np.float32)
    assert cosines(vectors, vectors).tolist() == [[0, 0, 0], [0, 1, -1], [0, -1, 1]]
    assert cosines(vectors[1:2], vectors).tolist() == [[0, 1, -1]]


def test_a_vector_that_is_not_known_has_no_cosine():
    vectors = np.array([[3, 4], [np.nan, np.nan]], np.float32)
    assert np.isnan(rounded(cosines(vectors, vectors))).tolist() == [[False, True], [True, True]]


def test_no_number_is_minus_0():
    assert str(rounded(np.array([-1e-9], np.float32))) == "[0.]"
