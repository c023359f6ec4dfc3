import pytest

from tests.helpers.rt2_models import make_model


@pytest.fixture(scope="session")
def model():
    return make_model()
