"""The URL patterns of the test project, and two login endpoints of the simplejwt alias."""

from django.urls import include, path

from drf_signet.compat.simplejwt import alias, views

alias.install()

urlpatterns = [
    path("", include("tests.urls")),
    path("alias/", views.TokenObtainPairView.as_view()),
    path("alias/sliding/", views.TokenObtainSlidingView.as_view()),
]
