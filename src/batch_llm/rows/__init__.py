"""Where work comes from and where results go: the rows of files and of tables."""

from .work import work_items

__all__ = ["work_items"]
