"""Handing images out: watermarked previews to anyone, clean renditions to those with a right."""
