import numpy as np
from numpy.typing import NDArray


class Moments:
    """Count, sum and sum of outer products of some frames, from which a Gaussian follows; moments add and subtract."""

    __slots__ = ("count", "first", "second")

    def __init__(self, count: float, first: NDArray[np.float64], second: NDArray[np.float64]) -> None:
        self.count = count
        self.first = first
        self.second = second

    @classmethod
    def of(cls, frames: NDArray[np.float64]) -> "Moments":
        """The moments of frames, shape (n, d)."""
        return cls(len(frames), frames.sum(axis=0), frames.T @ frames)

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.count + other.count, self.first + other.first, self.second + other.second)

    def __sub__(self, other: "Moments") -> "Moments":
        return Moments(self.count - other.count, self.first - other.first, self.second - other.second)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Shape (d,)."""
        return self.first / self.count

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Shape (d, d)."""
        covariance: NDArray[np.float64] = self.second / self.count - np.outer(self.mean, self.mean)
        return covariance


def log_densities(
    frames: NDArray[np.float64], mean: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logarithm of a Gaussian's density at each frame, shape (n,), without the constant that all Gaussians share."""
    root = np.linalg.cholesky(covariance)
    whitened = np.linalg.solve(root, (frames - mean).T)
    density: NDArray[np.float64] = -0.5 * np.square(whitened).sum(axis=0) - np.log(np.diag(root)).sum()
    return density
