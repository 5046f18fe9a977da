"""The items of the table as pynamodb models, a module for each family: its rows and their keys.

An attribute is stored under its own name or, where the code has a better word by now, under `attr_name`.
"""
