"""E-values: what a bet against "nothing has changed" returns for one chunk, in logarithms."""

from __future__ import annotations

from math import ceil, log

import numpy as np

from barograph.arrays import Floats

RATIO = 1.6  # between neighbouring bets: the better of two is never more than 27 % off, which costs 5 to 7 % of growth
LARGEST_BET = 0.9  # of the stake at which a gamma distribution would ruin the bank
MAX_LOG_WEALTH = 10.0  # of one chunk, from a summary whose standard error may be wrong


def bet_sizes(arl: float, *, longest: float, shortest: float = 1.0) -> Floats:
    r"""Return a geometric grid of bets, each the best one for a change that takes a certain time to be found.

    A bet of :math:`z` standard deviations of one step grows fastest, by :math:`z^2/2` nats a step, when the mean has
    moved by :math:`z`; evidence of `arl` is then there after :math:`d = 2 \log(\mathrm{arl}) / z^2` steps. The grid
    covers `shortest` to `longest` steps: 1 to 30 for daily chunks and changes that should be found within a month.
    Each doubling of `longest` costs about one bet more, and all other changes a little delay.

    >>> bet_sizes(1000, longest=30).round(2).tolist()
    [0.68, 1.04, 1.59, 2.43, 3.72]
    """
    smallest, largest = (np.sqrt(2 * log(max(arl, 2.0)) / d) for d in (longest, shortest))
    count = 1 + ceil(log(largest / smallest) / log(RATIO) - 1e-9)
    return np.asarray(np.geomspace(smallest, largest, count))


def tilts(sizes: Floats, rows: Floats, mean: Floats, variance: Floats | None = None) -> Floats:
    r"""Return bets on a share above `mean` as changes of log-odds, for bets of `sizes` standard deviations of a step.

    .. math:: \theta_k = z_k / \sqrt{n\,v}

    for a step of `rows` independent rows :math:`n` with `variance` :math:`v`, by default that of a share,
    :math:`m(1-m)`. A bet goes at most to a share of one half, or :math:`\theta = 2` where that is more. `rows` and
    `mean` broadcast; the bets become a last axis.

    >>> tilts(np.array([1.0, 2.0]), np.array(100.0), np.array(0.1)).round(3).tolist()
    [0.333, 0.667]
    """
    m = np.clip(mean, 1e-12, 1 - 1e-12)
    largest = np.maximum(2.0, np.log1p(-m) - np.log(m))
    v = m * (1 - m) if variance is None else np.maximum(variance, 1e-12)
    theta = sizes / np.sqrt(np.maximum(rows, 1.0) * v)[..., None]
    return np.asarray(np.minimum(theta, largest[..., None]))


def log_e_shares(successes: Floats, rows: Floats, mean: Floats, theta: Floats, effect: Floats | None = None) -> Floats:
    r"""Return the log e-values of `successes` among `rows`, against a share of at most `mean`.

    .. math:: \log E_k = \theta_k s - n \log\bigl(1 + m (e^{\theta_k} - 1)\bigr)

    This is the likelihood ratio of the share with log-odds :math:`\theta_k` above those of :math:`m`; in the form of
    a bet :math:`1 + \lambda (L - m)` on each loss, :math:`\lambda_k = (e^{\theta_k} - 1)/(1 + m(e^{\theta_k} - 1))`.
    The mean of :math:`E_k` is at most one for every share up to `mean`, in any order of rows and with any dependence of
    `mean` on the past. No rows give zero. A `mean` of one or more can't be exceeded: the bet is lost (minus infinity).

    With a design `effect` :math:`d > 1` the share of the chunk itself varies. A gamma distribution stands for it,
    with the mean :math:`m` and the variance that makes that of :math:`s` equal to :math:`d\,n\,m(1-m)`, so that
    bursts of rare events are allowed for:

    .. math:: \log E_k = \eta s - n \log(1 + m g) + n m h + \frac{n m}{D} \log(1 - D h),
       \qquad \eta = \theta_k / d,\; g = e^\eta - 1,\; h = \frac{g}{1 + m g},\; D = (1 - m)(d - 1)

    with :math:`D h \le 0.9`. Where the chunks depend on each other, `d` is that of many chunks, and the run length is
    as good as `d` is.

    The arguments broadcast to the shape of `theta` without its last axis, which is that of the bets.

    >>> log_e_shares(np.array(3.0), np.array(10.0), np.array(0.1), np.array([0.5, 1.0])).round(3).tolist()
    [0.871, 1.414]
    >>> theta = np.array([0.5, 1.0])
    >>> log_e_shares(np.array(3.0), np.array(10.0), np.array(0.1), theta, np.array(3.0)).round(3).tolist()
    [0.284, 0.351]
    """
    tilt, cost = tilt_and_cost(rows, mean, theta, effect)
    log_e = successes[..., None] * tilt
    log_e -= cost
    lost = mean >= 1.0
    if lost.any():
        log_e[np.broadcast_to(lost & (rows > 0), log_e.shape[:-1])] = -np.inf
    return np.asarray(log_e)


def tilt_and_cost(rows: Floats, mean: Floats, theta: Floats, effect: Floats | None) -> tuple[Floats, Floats]:
    """Return what each success adds to the log e-values of :func:`log_e_shares`, and what all rows take from them."""
    m, n = np.minimum(mean, 1.0)[..., None], rows[..., None]
    if effect is None or not np.any(effect > 1):
        return theta, n * np.log1p(m * np.expm1(theta))
    d = effect[..., None]
    spread = np.maximum((1 - m) * (d - 1), 1e-12)
    gain = np.expm1(theta / d)
    bet = np.minimum(gain / (1 + m * gain), LARGEST_BET / spread)
    gain = bet / (1 - m * bet)
    spent = np.log1p(m * gain)
    spent -= m * bet
    spent -= m / spread * np.log1p(-spread * bet)
    return np.log1p(gain), n * spent


def log_e_losses(counts: Floats, losses: Floats, mean: Floats, theta: Floats) -> Floats:
    r"""Return the log e-values of a histogram of losses between 0 and 1, against a mean loss of at most `mean`.

    .. math:: \log E_k = \sum_b c_b \log\bigl(1 + \lambda_k (\ell_b - m)\bigr)

    with :math:`\lambda_k` as in :func:`log_e_shares`. `losses` are the *lower* edges of the bins, (monitors, bins): no
    row then counts for more than its loss, and the mean of :math:`E_k` stays at most one.

    `counts` is (monitors, bins), `mean` (monitors,), `theta` (monitors, bets).

    >>> log_e_losses(np.array([[7.0, 3.0]]), np.array([[0.0, 1.0]]), np.array([0.1]), np.array([[0.5, 1.0]])).round(3)
    array([[0.871, 1.414]])
    """
    gain = np.expm1(theta)
    m = np.minimum(mean, 1.0)[:, None]
    bet = gain / (1 + m * gain)
    wealth = np.log1p(bet[:, None, :] * (losses - m)[:, :, None])
    log_e: Floats = np.einsum("mb,mbk->mk", counts, wealth)
    log_e[(mean >= 1.0) & (counts.sum(axis=1) > 0)] = -np.inf
    return log_e


def log_e_summaries(estimates: Floats, standard_errors: Floats, mean: Floats, sizes: Floats) -> Floats:
    r"""Return the log e-values of estimates with standard errors, against a true value of at most `mean`.

    .. math:: \log E_k = \min\bigl(z_k x - z_k^2 / 2,\; 10\bigr), \qquad x = (\hat\theta - m) / \hat\sigma

    Valid as far as :math:`x` is standard normal, hence for large chunks; the cap keeps one chunk with a standard
    error that is wrong from raising an alarm by itself when the run length is above 22,000. An estimate that is not
    finite, or a standard error that is not above zero, is no data.

    `estimates`, `standard_errors` and `mean` are (monitors,), `sizes` (bets,).

    >>> log_e_summaries(np.array([0.8]), np.array([0.05]), np.array([0.7]), np.array([1.0, 2.0])).round(3)
    array([[1.5, 2. ]])
    """
    known = np.isfinite(estimates) & np.isfinite(standard_errors) & (standard_errors > 0)
    x = np.divide(estimates - mean, standard_errors, out=np.zeros(known.shape), where=known)[:, None]
    return np.where(known[:, None], np.minimum(sizes * x - sizes**2 / 2, MAX_LOG_WEALTH), 0.0)


def log_e_counts(counts: Floats, mean: Floats, theta: Floats) -> Floats:
    r"""Return the log e-values of numbers of events, against a mean of at least `mean` (negative `theta`) or at most.

    .. math:: \log E_k = \theta_k y - \mu (e^{\theta_k} - 1)

    for events that arrive at least as evenly as independent ones (Poisson). `counts` and `mean` are (monitors,),
    `theta` (monitors, bets) or (bets,).

    >>> log_e_counts(np.array([20.0]), np.array([40.0]), np.array([-0.5])).round(3).tolist()
    [[5.739]]
    """
    log_e: Floats = theta * counts[:, None] - np.expm1(theta) * mean[:, None]
    return log_e
