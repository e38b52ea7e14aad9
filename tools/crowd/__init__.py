"""Who is reported in a crowd, and what that costs: `make crowd BOXED=folder:folder`."""
