"""Which packages a wheel has: the layer's, and the folder `local` as `haimaker.local`: it takes one name where it is installed.

Hence the modules of `local` import each other relatively.
"""

from setuptools import find_packages, setup

LOCAL = [f"haimaker.{name}" for name in find_packages(".", include=["local", "local.*"])]

setup(packages=find_packages("shared") + LOCAL, package_dir={"": "shared", "haimaker.local": "local"})
