"""`python -m gateway.locale`: extracts the words of code and templates, brings both catalogues up to them."""

from gateway.locale.extract import update

if __name__ == "__main__":
    update()
