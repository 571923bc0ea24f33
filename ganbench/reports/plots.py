def image_grid(images, path): pass
def scatter(points, means, std, path): pass
def curves(*a): pass
