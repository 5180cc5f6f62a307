"""Providers' JSON, encoded and decoded. Pure: nothing here opens a socket."""
