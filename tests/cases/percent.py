# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A notebook that is a script

# %% tags=["parameters"]
n: int = 1  # how many
name = "nobody"  # who

# %%
# %time total = sum(range(n))
print(f"hello {name}, {n} gives {total}")  # noqa: F821 - set by the magic above

# %% tags=["skip-execution"]
raise SystemExit("not run")

# %% [markdown]
# The end.

# %%
print("done")
