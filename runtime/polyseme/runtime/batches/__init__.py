"""Token ids of several texts, put together for one run. Pure: numpy alone."""
