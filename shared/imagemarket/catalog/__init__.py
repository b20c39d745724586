"""The image: its status and who may change it, renditions, keys, take-downs, categories, audit."""
