"""Calls and streams over gRPC, for threads and for asyncio."""
