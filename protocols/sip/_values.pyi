# All of it is for other compiled modules: nothing can be seen from Python.
